insert into tally (job, scheduled, queued, running, retrying) values (?1, 0, 0, 0, 0)
