-- See 0014_suppressed_addresses.up.sql.
DROP TABLE suppressed_addresses;
