select integrity_check from pragma_integrity_check where integrity_check <> 'ok'
