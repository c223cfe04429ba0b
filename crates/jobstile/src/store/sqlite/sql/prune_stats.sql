delete from stat where hour < ?1
