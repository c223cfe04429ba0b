-- After the clock was set back: nobody waits longer than its delay. A scheduled run's age goes with it.
update run set due = ?1 + delay, first_due = iif(state = 'scheduled', ?1 + delay, first_due)
where state in ('scheduled', 'retrying') and delay is not null and due > ?1 + delay and fence >= 0
