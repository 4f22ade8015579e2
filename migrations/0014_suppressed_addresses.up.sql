-- Addresses that refused a mail for ever, by their blind index: nothing is sent there until then.
CREATE TABLE suppressed_addresses (
    address_hmac bytea       PRIMARY KEY,
    since        timestamptz NOT NULL,
    until        timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON suppressed_addresses TO alta_processors;
