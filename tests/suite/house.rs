//! The house itself: who imports whom (docs/ARCHITECTURE.md), and that no test file was forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every crate by its folder, and the crates of this workspace that it may depend on (dev-dependencies aside).
const ARROWS: &[(&str, &[&str])] = &[
    ("archive", &[]),
    ("datasets", &[]),
    ("ingest", &["archive", "transcode"]),
    ("transcode", &["htj2k"]),
    ("transcode/htj2k", &[]),
    ("viewer-api", &["archive", "transcode"]),
];

/// Libraries that only some crates may name, so that each concern has one place.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("arrow", &["archive"]),
    ("axum", &["ingest", "viewer-api"]),
    ("dicom-pixeldata", &["transcode"]),
    ("object_store", &["archive"]),
    ("openjp2", &["transcode"]),
    ("parquet", &["archive"]),
    ("rusqlite", &["archive"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn dependencies(krate: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn arrows_point_as_drawn() {
    let crates: BTreeSet<&str> = ARROWS.iter().filter_map(|(folder, _)| folder.rsplit('/').next()).collect();
    for (name, allowed) in ARROWS {
        let named: Vec<String> = dependencies(name).into_iter().filter(|d| crates.contains(d.as_str())).collect();
        for dependency in named {
            assert!(allowed.contains(&dependency.as_str()), "{name} may not import {dependency}");
        }
    }
}

#[test]
fn every_member_has_its_arrows_drawn() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let path = member.as_str().unwrap();
        assert!(ARROWS.iter().any(|(name, _)| path == *name), "{path} is missing from ARROWS");
    }
}

#[test]
fn heavy_libraries_stay_in_their_crates() {
    for (library, allowed) in ONLY_IN {
        for (name, _) in ARROWS {
            let found = dependencies(name).contains(*library);
            assert!(!found || allowed.contains(name), "{name} may not depend on {library}");
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = fs::read_to_string(root().join("tests/suite/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/suite")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(stem == "main" || main.contains(&format!("mod {stem};")), "{stem} is not a module of the suite");
    }
}
