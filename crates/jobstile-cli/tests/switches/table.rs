//! The oracle of the switches, by hand. `*` stands for any value; each case has exactly one row.
//!
//! `it` is the run that waits, runs or retries already. A run that waits does so for the only
//! worker, so that no admitted one can start beside it. `enqueued-N`: allowed and enqueued, with
//! N runs pending (the retrying one counts); `level-1`, `level-2`, `final`: the seed's three lines.

pub(super) const TABLE: &str = "
# dedup aggr stack | job mc state    source  | decision code                   then       log

# All on, and stacking prevention off: it has nothing to do while deduplication is on.
    on   on    *      O  *  idle     *       | admitted within_limits          starts     enqueued-1
    on   on    *      O  1  waiting  tick    | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  1  waiting  trigger | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  1  running  tick    | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  1  running  trigger | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  1  retrying tick    | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  1  retrying trigger | skipped  concurrency_limit:it   -          level-1
    on   on    *      O  2  waiting  *       | admitted within_limits          waits      enqueued-2
    on   on    *      O  2  running  *       | admitted within_limits          starts     enqueued-1
    on   on    *      O  2  retrying *       | admitted within_limits          starts     enqueued-2

    on   on    *      M  *  idle     *       | admitted within_limits          starts     enqueued-1
    on   on    *      M  *  waiting  tick    | skipped  duplicate_waiting:it   -          level-1
    on   on    *      M  *  waiting  trigger | skipped  duplicate_waiting:it   -          level-2
    on   on    *      M  *  running  tick    | skipped  duplicate_running:it   -          level-1
    on   on    *      M  *  running  trigger | skipped  duplicate_running:it   -          level-2
    on   on    *      M  *  retrying tick    | skipped  duplicate_waiting:it   -          level-1
    on   on    *      M  *  retrying trigger | skipped  duplicate_waiting:it   -          level-2

# Aggressive deduplication off: a monitoring job is an ordinary one.
    on   off   *      O  *  idle     *       | admitted within_limits          starts     enqueued-1
    on   off   *      O  1  waiting  *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      O  1  running  *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      O  1  retrying *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      O  2  waiting  *       | admitted within_limits          waits      enqueued-2
    on   off   *      O  2  running  *       | admitted within_limits          starts     enqueued-1
    on   off   *      O  2  retrying *       | admitted within_limits          starts     enqueued-2

    on   off   *      M  *  idle     *       | admitted within_limits          starts     enqueued-1
    on   off   *      M  1  waiting  *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      M  1  running  *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      M  1  retrying *       | skipped  concurrency_limit:it   -          level-1
    on   off   *      M  2  waiting  *       | admitted within_limits          waits      enqueued-2
    on   off   *      M  2  running  *       | admitted within_limits          starts     enqueued-1
    on   off   *      M  2  retrying *       | admitted within_limits          starts     enqueued-2

# Deduplication off: everything is admitted, the number at once still bounds what runs.
    off  *     *      O  *  idle     *       | admitted within_limits          starts     enqueued-1
    off  *     *      O  *  waiting  *       | admitted within_limits          waits      enqueued-2
    off  *     *      O  1  running  *       | admitted within_limits          waits      enqueued-1
    off  *     *      O  2  running  *       | admitted within_limits          starts     enqueued-1
    off  *     *      O  *  retrying *       | admitted within_limits          starts     enqueued-2

# The final execution check: the second line, for monitoring jobs only.
    off  on    on     M  *  idle     *       | admitted within_limits          starts     enqueued-1
    off  on    on     M  *  waiting  *       | admitted within_limits          waits      enqueued-2
    off  on    on     M  1  running  tick    | admitted within_limits          refused:it enqueued-1,final
    off  on    on     M  1  running  trigger | admitted within_limits          refused:it enqueued-1,final
    off  on    on     M  2  running  tick    | admitted within_limits          refused:it enqueued-1,final
    off  on    on     M  2  running  trigger | admitted within_limits          refused:it enqueued-1,final
    off  on    on     M  *  retrying *       | admitted within_limits          starts     enqueued-2

# Without it, or without aggressive deduplication, as an ordinary job.
    off  on    off    M  *  idle     *       | admitted within_limits          starts     enqueued-1
    off  on    off    M  *  waiting  *       | admitted within_limits          waits      enqueued-2
    off  on    off    M  1  running  *       | admitted within_limits          waits      enqueued-1
    off  on    off    M  2  running  *       | admitted within_limits          starts     enqueued-1
    off  on    off    M  *  retrying *       | admitted within_limits          starts     enqueued-2

    off  off   *      M  *  idle     *       | admitted within_limits          starts     enqueued-1
    off  off   *      M  *  waiting  *       | admitted within_limits          waits      enqueued-2
    off  off   *      M  1  running  *       | admitted within_limits          waits      enqueued-1
    off  off   *      M  2  running  *       | admitted within_limits          starts     enqueued-1
    off  off   *      M  *  retrying *       | admitted within_limits          starts     enqueued-2
";
