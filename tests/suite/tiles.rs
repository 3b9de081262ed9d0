//! A mammogram and a slide in OpenSeadragon, by tests/browser/tiles.mjs, and the description of what is served held against
//! every router there is.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use datasets::{Kind, Scale, Study};
use serde_json::{Value, json};

use crate::browser::{Server, chromium, has_node, playwright_dir, root, tsunagu};

/// The folder npm put OpenSeadragon under: `OPENSEADRAGON_DIR`, or `.node` here.
fn openseadragon_dir() -> Option<PathBuf> {
    let named = env::var_os("OPENSEADRAGON_DIR").map(PathBuf::from);
    let dir = named.unwrap_or_else(|| root().join(".node"));
    dir.join("node_modules/openseadragon/package.json").is_file().then_some(dir)
}

/// A picture of one whole image, and the same drawn by the rendered resource.
fn whole(name: &str, [study, series, instance]: [&str; 3], (width, height): (u32, u32)) -> Value {
    let url = format!("/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered?accept=image/png");
    let part = json!({ "url": url, "x": 0, "y": 0, "width": width, "height": height });
    json!({ "name": name, "id": format!("{study}:{series}:{instance}"), "parts": [part] })
}

/// A slide of one level, and each of its tiles drawn by the rendered resource.
fn slide(name: &str, [study, series, instance]: [&str; 3], (width, height): (u32, u32), tile: u32) -> Value {
    let columns = width.div_ceil(tile);
    let part = |at: u32| {
        let frame = at + 1;
        let place = format!("/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frame}");
        let (x, y) = (at % columns * tile, at / columns * tile);
        json!({ "url": format!("{place}/rendered?accept=image/png"), "x": x, "y": y, "width": tile, "height": tile })
    };
    // Tiles that are whole: those at the edge reach beyond the picture.
    let inside = |at: &u32| (at % columns + 1) * tile <= width && (at / columns + 1) * tile <= height;
    let parts: Vec<Value> = (0..columns * height.div_ceil(tile)).filter(inside).map(part).collect();
    json!({ "name": name, "id": format!("{study}:{series}"), "parts": parts })
}

/// Study, series and instance of a Part 10 file, by its elements of VR UI.
fn uids(bytes: &[u8]) -> [String; 3] {
    let value = |tag: [u8; 4]| {
        let head = [&tag[..], b"UI"].concat();
        let at = bytes.windows(6).position(|window| window == head).unwrap() + 6;
        let length = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        String::from_utf8_lossy(&bytes[at + 2..at + 2 + length]).trim_end_matches('\0').to_owned()
    };
    [value([0x20, 0, 0x0D, 0]), value([0x20, 0, 0x0E, 0]), value([8, 0, 0x18, 0])]
}

/// Rows and Columns of a Part 10 file in Explicit VR Little Endian: columns first.
fn edges(bytes: &[u8]) -> (u32, u32) {
    let value = |element: u8| {
        let head = [0x28, 0, element, 0, b'U', b'S', 2, 0];
        let at = bytes.windows(8).position(|window| window == head).unwrap() + 8;
        u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
    };
    (value(0x11), value(0x10))
}

#[test]
fn a_mammogram_and_a_slide_open_in_openseadragon() {
    let tools = (playwright_dir(), chromium(), openseadragon_dir(), has_node());
    let (Some(playwright), Some(chromium), Some(openseadragon), true) = tools else {
        println!("skipped: node, chromium, playwright-core or openseadragon (OPENSEADRAGON_DIR, or .node) is not here");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let (data, files) = (temporary.path().join("archive"), temporary.path().join("files"));
    std::fs::create_dir_all(&files).unwrap();
    let mammogram = Study::new(Kind::Mammography, 7, Scale::Full, 1).files().next().unwrap();
    std::fs::write(files.join("mammogram.dcm"), &mammogram.bytes).unwrap();
    let uid = uids(&mammogram.bytes);
    let mut pictures = vec![whole("mammogram", uid.each_ref().map(String::as_str), edges(&mammogram.bytes))];
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets/wsi");
    for (name, file) in [("slide-jpeg", "jpeg.dicom"), ("slide-native", "raw.dicom")] {
        let Ok(bytes) = std::fs::read(shared.join(file)) else {
            println!("skipped: ../shared/datasets is not here");
            continue;
        };
        std::fs::write(files.join(file), &bytes).unwrap();
        pictures.push(slide(name, uids(&bytes).each_ref().map(String::as_str), (957, 715), 256));
    }
    tsunagu(&data, &["import", files.to_str().unwrap()]);
    let issued = tsunagu(&data, &["token", "issue", "browser test", "--role", "reader"]);
    let server = Server::start(&data);
    let out = env::var_os("TILES_OUT").map_or_else(|| temporary.path().join("screenshots"), PathBuf::from);
    let mut command = Command::new("node");
    command.arg(root().join("tests/browser/tiles.mjs")).arg(&server.url).arg(issued.trim()).arg(out);
    command.arg(Value::from(pictures).to_string()).env("PLAYWRIGHT_DIR", playwright).env("CHROMIUM", chromium);
    let out = command.env("OPENSEADRAGON_DIR", openseadragon).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    println!("{errors}");
    assert!(out.status.success(), "{said}{errors}");
}

/// Proves that the description has what both crates serve and nothing else, and that the program prints it.
#[test]
fn the_openapi_description_is_of_every_router() {
    let document: Value = serde_json::from_str(&viewer_api::openapi()).unwrap();
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let own = viewer_api::ROUTES.iter().map(|(_, path, _)| path.replace("{*", "{"));
    let store = ingest::ROUTES.iter().map(|(_, path)| format!("/dicom-web{path}"));
    assert_eq!(described, own.chain(store).collect());
    for (route, path) in ingest::ROUTES {
        let operation = &document["paths"][format!("/dicom-web{path}")][route.verb()];
        assert!(operation.is_object(), "{} {path}", route.verb());
    }
    let temporary = tempfile::tempdir().unwrap();
    assert_eq!(tsunagu(temporary.path(), &["openapi"]), viewer_api::openapi() + "\n");
}
