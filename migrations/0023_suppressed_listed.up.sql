-- Who runs the service may page through the refused addresses: by a name of each entry that says nothing
-- about the address and goes with the entry. The blind index stays where it was.
ALTER TABLE suppressed_addresses ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
GRANT SELECT (id, since, until) ON suppressed_addresses TO alta_query;
