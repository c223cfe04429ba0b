-- How many runs of each job wait for nothing but a worker.
select job, count(*) from run indexed by run_ready where state = 'queued' and waits_on is null group by job
