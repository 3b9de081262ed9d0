//! The wavelet (T.800 Annex F): 5/3 reversible on integers, 9/7 irreversible on floats, row by row.
