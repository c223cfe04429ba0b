-- Runs of a job that were triggered again, by those of its runs that were admitted since.
select distinct rerun_of from run indexed by run_job
where job = ?1 and admitted_at >= ?2 and rerun_of is not null
