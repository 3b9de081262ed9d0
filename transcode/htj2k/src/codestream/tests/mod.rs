//! The codestream syntax as a whole: what is written is read, real streams, prefixes and damage.

mod damage;
mod random;
mod round_trip;
mod streams;
