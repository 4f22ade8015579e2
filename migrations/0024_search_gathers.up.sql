-- New rows of search gather in a list before the index, which takes them up a hundred or so at a time: each
-- word's place in the index is then written once and not once a row. Every search reads what has gathered,
-- so that is kept short.
ALTER INDEX search_words SET (fastupdate = on, gin_pending_list_limit = 128);
