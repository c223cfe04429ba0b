select 'row ' || coalesce(rowid, '?') || ' of ' || "table" || ' refers to a row of ' || parent || ' that is not there'
from pragma_foreign_key_check
limit 100
