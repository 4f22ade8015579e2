-- Other databases of the cluster may use the role; only what this one granted goes away.
DROP TABLE rate_limit_windows;
DROP OWNED BY alta_edge;
