//! HT block encoding: the cleanup pass at bit-plane 0 (T.814 7.3, read backwards).
