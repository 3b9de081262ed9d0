//! Renditions through the program: made after the packs, listed, exported, verified, deleted and made again, never found
//! by a search.
//!
//! Proves: an import by a policy gives derivatives that say what they lost, under UIDs that are the same again; what
//! arrives in a compression that no browser decodes gets a viewing copy, and its frames are answered from it; neither
//! counts anywhere; and deleting all of them loses nothing.

use std::path::Path;

use serde_json::Value;

use crate::client::Dicomweb;
use crate::program::{Server, files_below, real_files, run, run_clean, token, verify};

const CENTRE: &str = "rendition-centre";
/// Small pictures too, whatever that saves.
const SMALL: [(&str, &str); 2] = [("524_288", "0"), ("saves_percent_min = 30", "saves_percent_min = 0")];

/// The built-in policy as the program prints it, changed as an operator would.
fn policy(dir: &Path) -> String {
    let said = run_clean(dir, &["renditions", "policy"]);
    let table = said.text.lines().filter(|line| !line.starts_with("{\"")).collect::<Vec<_>>().join("\n");
    let table = SMALL.iter().fold(table, |table, (old, new)| table.replace(old, new)).replace("tsunagu-1", "small-1");
    let path = dir.join("policy.toml");
    std::fs::write(&path, table).unwrap();
    path.to_str().unwrap().to_owned()
}

fn list(data: &Path) -> Vec<Value> {
    let said = run_clean(data, &["renditions", "list"]);
    let mut found = said.json["renditions"].as_array().unwrap().clone();
    found.sort_by_key(|one| one.to_string());
    // When one was made is not part of what it is.
    found.iter_mut().for_each(|one| drop(one.as_object_mut().unwrap().remove("made_at")));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn derivatives_are_made_listed_exported_deleted_and_made_again_the_same() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, files) = (dir.path().join("archive"), files.path().join("night"));
    let policy = policy(dir.path());
    run_clean(&data, &["generate", "--small", "--studies", "12", "--seed", "3", files.to_str().unwrap()]);
    let arguments = ["import", "--centre", CENTRE, "--derivative-policy", &policy, files.to_str().unwrap()];
    let imported = run_clean(&data, &arguments).json;
    let (stored, made) = (imported["stored"].as_u64().unwrap(), &imported["packed"]["renditions"]);
    let found = list(&data);
    let derivatives: Vec<&Value> = found.iter().filter(|one| one["kind"] == "derivative").collect();
    assert!(derivatives.len() > 10, "{made}");
    assert_eq!(made["derivatives"], derivatives.len());
    for one in &derivatives {
        assert!(one["largest_error"].is_u64() && one["ratio"].as_f64().unwrap() > 1.0, "{one}");
        assert_eq!(
            (&one["policy"], &one["transfer_syntax_uid"]),
            (&"small-1".into(), &"1.2.840.10008.1.2.4.203".into())
        );
        assert_ne!(one["source"], one["sop_instance_uid"]);
    }

    // Nobody finds or counts them.
    let verified = verify(&data);
    assert_eq!((&verified["instances"], &verified["renditions"]), (&stored.into(), &found.len().into()));
    let token = token(&data, "admin", CENTRE);
    let server = Server::start(&data, &["--no-pack"]);
    let client = Dicomweb::new(&server.url, &token);
    assert_eq!(client.instances().await.len() as u64, stored);
    let uid = derivatives[0]["sop_instance_uid"].as_str().unwrap();
    assert!(client.search(&format!("instances?SOPInstanceUID={uid}")).await.is_empty());
    server.kill();

    // Exported, each is the object that was listed.
    let to = tempfile::tempdir().unwrap();
    let said = run_clean(&data, &["export", "--derivatives", to.path().to_str().unwrap()]).json;
    assert_eq!(said["files"], derivatives.len());
    let exported: Vec<Vec<u8>> = files_below(to.path()).iter().map(|path| std::fs::read(path).unwrap()).collect();
    for one in &derivatives {
        let uid = one["sop_instance_uid"].as_str().unwrap().as_bytes();
        let holds = |file: &&Vec<u8>| file.windows(uid.len()).any(|window| window == uid);
        assert!(exported.iter().any(|file| holds(&file) && file[128..132] == *b"DICM"), "{one}");
    }

    // A new index knows them, deleting them loses nothing, and made again they are the same.
    run_clean(&data, &["rebuild"]);
    assert_eq!(list(&data), found);
    run_clean(&data, &["renditions", "delete"]);
    assert!(list(&data).is_empty());
    assert_eq!(verify(&data)["instances"], stored);
    run_clean(&data, &["renditions", "make", "--derivative-policy", &policy]);
    assert_eq!(list(&data), found);
    run_clean(&data, &["renditions", "make", "--remake", "--derivative-policy", &policy]);
    assert_eq!(list(&data), found);
    verify(&data);
}

#[test]
fn a_policy_that_cannot_be_read_stops_the_program_before_anything_is_taken_in() {
    let dir = tempfile::tempdir().unwrap();
    let (data, policy) = (dir.path().join("archive"), dir.path().join("policy.toml"));
    std::fs::write(&policy, "version = \"x\"\n").unwrap();
    let file = dir.path().to_str().unwrap();
    let said = run(&data, &["import", "--derivative-policy", policy.to_str().unwrap(), file]);
    assert!(
        !said.status.success() && said.json["error"].as_str().unwrap().contains("pixel_bytes_min"),
        "{}",
        said.text
    );
}

/// Files of each compression that no browser decodes, and two that it does or that are ours.
const COMPRESSED: [(&str, bool); 6] = [
    ("ct-series/wg04/CT1_JLSL", true),
    ("mr-series/wg04/MR1_JPLL", true),
    ("nuclear/wg04/NM1_RLE", true),
    ("multi-frame/emri_small_jpeg_ls_lossless.dcm", true),
    ("transfer-syntaxes/SC_rgb_jpeg_dcmtk.dcm", false),
    ("mr-series/wg04/MR3_UNC", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_no_browser_decodes_gets_a_viewing_copy_and_frames_are_answered_from_it() {
    let Some(files) = real_files() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (data, sent) = (dir.path().join("archive"), dir.path().join("sent"));
    std::fs::create_dir(&sent).unwrap();
    let there = COMPRESSED.iter().filter(|(name, _)| files.join(name).exists());
    for (name, _) in there.clone() {
        std::fs::copy(files.join(name), sent.join(name.replace('/', "_"))).unwrap();
    }
    let imported = run_clean(&data, &["import", "--centre", CENTRE, sent.to_str().unwrap()]).json;
    let expected = there.filter(|(_, copied)| *copied).count();
    assert_eq!(imported["packed"]["renditions"]["viewing_copies"], expected, "{}", imported["packed"]["renditions"]);
    let copies: Vec<Value> = list(&data).into_iter().filter(|one| one["kind"] == "viewing-copy").collect();
    assert_eq!(copies.len(), expected);
    verify(&data);

    let token = token(&data, "admin", CENTRE);
    let server = Server::start(&data, &["--no-pack"]);
    let client = Dicomweb::new(&server.url, &token);
    for copy in &copies {
        assert_eq!(copy["source"], copy["sop_instance_uid"], "a lossless copy is no other object");
        let path = client.find(copy["source"].as_str().unwrap()).await;
        let native = frame(&server.url, &token, &path, "application/octet-stream", "1.2.840.10008.1.2.1").await;
        let coded = frame(&server.url, &token, &path, "image/jphc", "1.2.840.10008.1.2.4.202").await;
        assert!(coded.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) && coded.len() < native.len(), "{path}");
        let samples = transcode::codec::decode(&coded).unwrap();
        let wide = |at: usize| i32::from(u16::from_le_bytes([native[2 * at], native[2 * at + 1]]));
        let mask = (1 << samples.bits()) - 1;
        assert!((0..samples.values().len()).all(|at| samples.values().at(at) & mask == wide(at) & mask), "{path}");
    }
    server.kill();
}

/// Frame 1, as one body.
async fn frame(url: &str, token: &str, path: &str, kind: &str, syntax: &str) -> Vec<u8> {
    let request = reqwest::Client::new().get(format!("{url}/{path}/frames/1")).bearer_auth(token);
    let accept = format!("{kind}; transfer-syntax={syntax}");
    let response = request.header("accept", accept).send().await.unwrap();
    assert!(response.status().is_success(), "{path} {kind}: {}", response.status());
    let told = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(told.contains(kind) && told.contains(syntax), "{told}");
    response.bytes().await.unwrap().to_vec()
}
