select id, name, kind, host, pid, user, program, dir, workers, boot_id, lock_uid
from node indexed by node_live where ended_at is null order by started_at
