select scheduled, queued, running, retrying from tally where job = ?1
