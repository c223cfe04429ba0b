insert into stat (job, hour, numbers) values (?1, ?2, ?3)
on conflict (job, hour) do update set numbers = excluded.numbers
