-- When jobs were taken out of the policy that are in it no more.
select job.id, version.applied_at from job join version on version.id = job.version where job.policy is null
