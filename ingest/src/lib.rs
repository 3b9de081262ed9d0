//! The doors and the gate: receives files (STOW-RS, C-STORE, folders, ZIP, DICOMDIR), admits or quarantines each,
//! and packs what was taken in.

pub mod admit;
