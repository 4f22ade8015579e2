ALTER INDEX search_words SET (fastupdate = off);
ALTER INDEX search_words RESET (gin_pending_list_limit);
