select coalesce(sum(count), 0), min(first_at), max(last_at)
from refusal indexed by refusal_by where by_run = ?1 and by_run > 0
