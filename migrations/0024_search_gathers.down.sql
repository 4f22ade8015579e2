ALTER INDEX search_words SET (fastupdate = off);
SELECT gin_clean_pending_list('search_words');
ALTER INDEX search_words RESET (gin_pending_list_limit);
