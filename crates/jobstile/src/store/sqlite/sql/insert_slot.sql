insert into slot (job, n, run, fence) values (?1, ?2, ?3, ?4)
