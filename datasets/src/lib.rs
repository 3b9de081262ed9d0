//! Seeded generators of realistic DICOM files, and of broken ones.
