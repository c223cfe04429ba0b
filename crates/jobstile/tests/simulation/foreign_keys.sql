select "table", rowid, parent, fkid from pragma_foreign_key_check
