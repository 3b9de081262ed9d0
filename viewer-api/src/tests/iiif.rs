//! IIIF Image API 3.0 over hand-made pictures and slides: what is asked for is what comes, from as little as holds it.

use archive::{
    Body, Description, Digests, FrameSpan, FrameTable, InstanceAttributes, Origin, SeriesAttributes, StudyAttributes,
    TakeIn,
};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use transcode::{Samples, Values, codec};

use super::fixture::{Answer, EXPLICIT, House, INSTANCE, SERIES, STUDY};

const STUDY_UID: &str = "1.2.392.7";
const SERIES_UID: &str = "1.2.392.7.1";
const SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
/// A window in which 8 bits are shown as they are.
const PLAIN: &str = "?window=128,256";

/// An instance to be taken in.
struct Instance {
    uid: String,
    class: &'static str,
    syntax: &'static str,
    columns: u16,
    rows: u16,
    samples: u16,
    photometric: &'static str,
    frames: Vec<Vec<u8>>,
    document: Value,
}

impl Instance {
    fn grey(uid: &str, columns: u16, rows: u16, syntax: &'static str, frame: Vec<u8>) -> Instance {
        let (frames, document) = (vec![frame], json!({}));
        let (class, photometric) = ("1.2.840.10008.5.1.4.1.1.7", "MONOCHROME2");
        Instance { uid: uid.into(), class, syntax, columns, rows, samples: 1, photometric, frames, document }
    }

    /// Tiles of 8 by 4 pixels, each of one colour.
    fn slide(uid: &str, document: Value, colours: &[[u8; 3]]) -> Instance {
        let frames = colours.iter().map(|colour| colour.repeat(8 * 4)).collect();
        let (class, syntax, photometric) = (SLIDE, EXPLICIT, "RGB");
        Instance { uid: uid.into(), class, syntax, columns: 8, rows: 4, samples: 3, photometric, frames, document }
    }

    async fn take_in(self, house: &House) {
        let mut at = 0;
        let span = |frame: &Vec<u8>| {
            let (offset, length) = (at, frame.len() as u64);
            at += length;
            let fragments = u32::from(self.syntax != EXPLICIT);
            FrameSpan { offset, length, fragments, resolution_ends: codec::resolution_ends(frame) }
        };
        let frames = FrameTable { frames: self.frames.iter().map(span).collect() };
        let bytes = self.frames.concat();
        let mut digest = Sha256::new();
        digest.update(&self.uid);
        digest.update(&bytes);
        let digest: [u8; 32] = digest.finalize().into();
        let description = Description {
            study: StudyAttributes { study_instance_uid: STUDY_UID.into(), ..Default::default() },
            series: SeriesAttributes { series_instance_uid: SERIES_UID.into(), ..Default::default() },
            instance: InstanceAttributes {
                sop_instance_uid: self.uid.clone(),
                sop_class_uid: self.class.into(),
                transfer_syntax_uid: self.syntax.into(),
                number_of_frames: self.frames.len() as u32,
                rows: self.rows,
                columns: self.columns,
                samples_per_pixel: self.samples,
                bits_allocated: 8,
                bits_stored: 8,
                photometric_interpretation: self.photometric.into(),
                ..Default::default()
            },
        };
        let received_at = "2027-01-15T08:00:00Z".into();
        let origin = Origin { centre: "a".into(), file: self.uid, received_at, batch: None };
        let (dicom_json, body) = (Bytes::from(self.document.to_string()), Body::Memory(bytes.into()));
        let digests = Digests { file: digest, data_set: Some(digest) };
        house.take(TakeIn { origin, description, dicom_json, frames, digests, body }).await;
    }
}

/// What a slide says of itself.
fn matrix(columns: u32, rows: u32, more: Value) -> Value {
    let mut document = json!({
        "00080008": { "vr": "CS", "Value": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"] },
        "00209311": { "vr": "CS", "Value": ["TILED_FULL"] },
        "00480006": { "vr": "UL", "Value": [columns] }, "00480007": { "vr": "UL", "Value": [rows] },
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

/// Numbers that are nowhere alike.
fn numbers(width: u32, height: u32) -> Vec<u8> {
    (0..width * height).map(|at| ((at % width) / 5 + (at / width) / 3 + at.wrapping_mul(7919) % 16) as u8).collect()
}

fn high_throughput(width: u32, height: u32, values: Vec<u8>) -> Vec<u8> {
    codec::encode(&Samples::new(width, height, 1, 8, Values::U8(values)).unwrap()).unwrap()
}

/// Columns, rows and bytes of a PNG.
fn pixels(answer: &Answer) -> (u32, u32, Vec<u8>) {
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "image/png"), "{:?}", answer.body);
    let mut reader = png::Decoder::new(std::io::Cursor::new(&answer.body)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    bytes.truncate(info.buffer_size());
    (info.width, info.height, bytes)
}

async fn get(house: &House, path: &str) -> Answer {
    house.get(&format!("/iiif/{path}"), &house.reader, "*/*").await
}

/// The picture that was made by `width` and `height`, cut.
fn cut(values: &[u8], width: u32, [x, y, across, down]: [u32; 4]) -> Vec<u8> {
    (y..y + down).flat_map(|row| &values[(row * width + x) as usize..][..across as usize]).copied().collect()
}

fn id(instance: u32) -> String {
    format!("{STUDY_UID}:{SERIES_UID}:{SERIES_UID}.{instance}")
}

#[tokio::test]
async fn iiif_info_says_what_the_picture_is_and_how_it_is_served() {
    let house = House::empty().await;
    let values = numbers(1300, 900);
    Instance::grey("1.2.392.7.1.1", 1300, 900, codec::TRANSFER_SYNTAX_UID, high_throughput(1300, 900, values))
        .take_in(&house)
        .await;
    let answer = get(&house, &format!("{}/info.json", id(1))).await;
    let linked = "application/ld+json;profile=\"http://iiif.io/api/image/3/context.json\"";
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, linked));
    let info = answer.json();
    assert_eq!(info["@context"], "http://iiif.io/api/image/3/context.json");
    assert_eq!(info["id"], format!("http://here:8080/iiif/{}", id(1)));
    assert_eq!([&info["type"], &info["profile"]], ["ImageService3", "level2"]);
    assert_eq!(info["protocol"], "http://iiif.io/api/image");
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(1300), Some(900)));
    assert_eq!(info["tiles"], json!([{ "width": 512, "height": 512, "scaleFactors": [1, 2, 4] }]));
    assert_eq!(info["sizes"][0], json!({ "width": 325, "height": 225 }));
    assert_eq!(info["maxArea"], 1 << 24);
    assert_eq!(answer.header("link"), "<http://iiif.io/api/image/3/level2.json>;rel=\"profile\"");
    let plain = house.get(&format!("/iiif/{}/info.json", id(1)), &house.reader, "application/json").await;
    assert_eq!((plain.header("content-type"), plain.json()), ("application/json", info));
    assert_eq!(house.log.of("accessed").last().unwrap()["rendition"], "metadata");
    // Every size and every tile of info.json is served.
    for size in answer.json()["sizes"].as_array().unwrap() {
        let path = format!("{}/full/{},{}/0/default.png", id(1), size["width"], size["height"]);
        assert_eq!(pixels(&get(&house, &path).await).0, size["width"].as_u64().unwrap() as u32);
    }
}

#[tokio::test]
async fn iiif_base_uri_redirects_to_its_information_and_escapes_are_undone() {
    let house = House::new().await;
    for id in [format!("{STUDY}:{SERIES}:{INSTANCE}"), format!("{STUDY}%3A{SERIES}%3a{INSTANCE}")] {
        let answer = get(&house, &id).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{id}");
        let place = format!("http://here:8080/iiif/{STUDY}:{SERIES}:{INSTANCE}/info.json");
        assert_eq!(answer.header("location"), place);
        assert_eq!(get(&house, &format!("{id}/info.json")).await.status, StatusCode::OK);
        assert_eq!(get(&house, &format!("{id}/full/max/0/default.jpg")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn iiif_identifiers_that_name_nothing_are_not_found() {
    let house = House::new().await;
    let frames =
        [format!("{STUDY}:{SERIES}:{INSTANCE}:3"), format!("{STUDY}:{SERIES}:9.9"), format!("{STUDY}:{SERIES}")];
    let others = ["nonsense", "1.2:3.4:5.6", "Yamada:1.2", "1.2%2F3.4", "a%20b", "%E5%B1%B1", ":::"];
    for id in frames.iter().map(String::as_str).chain(others) {
        for rest in ["/info.json", "/full/max/0/default.jpg"] {
            let answer = get(&house, &format!("{id}{rest}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}{rest}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("Yamada"));
        }
    }
    assert_eq!(get(&house, "%FF/info.json").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn iiif_regions_of_every_kind_of_frame_are_the_samples() {
    let house = House::empty().await;
    let values = numbers(1300, 900);
    let coded = high_throughput(1300, 900, values.clone());
    Instance::grey("1.2.392.7.1.1", 1300, 900, codec::TRANSFER_SYNTAX_UID, coded).take_in(&house).await;
    Instance::grey("1.2.392.7.1.2", 1300, 900, EXPLICIT, values.clone()).take_in(&house).await;
    for instance in [1, 2] {
        for [x, y, width, height] in [[0, 0, 1300, 900], [512, 512, 512, 388], [500, 510, 30, 20], [1299, 899, 1, 1]] {
            let path = format!("{}/{x},{y},{width},{height}/max/0/default.png{PLAIN}", id(instance));
            let (across, down, bytes) = pixels(&get(&house, &path).await);
            assert_eq!((across, down), (width, height));
            assert!(bytes == cut(&values, 1300, [x, y, width, height]), "{path}");
        }
    }
}

/// Tiles of every scale factor put beside each other are the whole picture at that scale: no seams.
#[tokio::test]
async fn iiif_tiles_at_every_scale_make_up_the_picture() {
    let house = House::empty().await;
    let coded = high_throughput(1300, 900, numbers(1300, 900));
    Instance::grey("1.2.392.7.1.1", 1300, 900, codec::TRANSFER_SYNTAX_UID, coded).take_in(&house).await;
    for scale in [2u32, 4] {
        let (width, height) = (1300u32.div_ceil(scale), 900u32.div_ceil(scale));
        let whole = format!("{}/full/{width},{height}/0/default.png{PLAIN}", id(1));
        let whole = pixels(&get(&house, &whole).await).2;
        for (x, y) in [(0, 0), (512 * scale, 0), (0, 512 * scale)] {
            if x >= 1300 || y >= 900 {
                continue;
            }
            let (across, down) = ((512 * scale).min(1300 - x), (512 * scale).min(900 - y));
            let size = (across.div_ceil(scale), down.div_ceil(scale));
            let path = format!("{}/{x},{y},{across},{down}/{},{}/0/default.png{PLAIN}", id(1), size.0, size.1);
            let tile = pixels(&get(&house, &path).await);
            assert_eq!((tile.0, tile.1), size);
            assert!(tile.2 == cut(&whole, width, [x / scale, y / scale, size.0, size.1]), "{path}");
        }
    }
}

#[tokio::test]
async fn iiif_a_smaller_picture_shows_the_same() {
    let house = House::empty().await;
    // Even areas: means and wavelets agree about them.
    let values: Vec<u8> = (0..600u32 * 400).map(|at| if at % 600 < 300 { 40 } else { 200 }).collect();
    let coded = high_throughput(600, 400, values.clone());
    Instance::grey("1.2.392.7.1.1", 600, 400, codec::TRANSFER_SYNTAX_UID, coded).take_in(&house).await;
    Instance::grey("1.2.392.7.1.2", 600, 400, EXPLICIT, values).take_in(&house).await;
    for (instance, size) in [(1, "60,"), (2, "60,"), (1, "pct:3.3"), (2, "!10,10"), (1, "^700,500")] {
        let path = format!("{}/full/{size}/0/gray.png{PLAIN}", id(instance));
        let (width, height, bytes) = pixels(&get(&house, &path).await);
        let row = &bytes[(height / 2 * width) as usize..][..width as usize];
        assert_eq!((row[1], row[width as usize - 2]), (40, 200), "{path}");
    }
}

#[tokio::test]
async fn iiif_windows_are_of_the_whole_picture_unless_one_is_asked_for() {
    let house = House::empty().await;
    let values: Vec<u8> = (0..1024u32 * 512).map(|at| if at % 1024 < 512 { 10 } else { 110 }).collect();
    let coded = high_throughput(1024, 512, values);
    Instance::grey("1.2.392.7.1.1", 1024, 512, codec::TRANSFER_SYNTAX_UID, coded).take_in(&house).await;
    let first = async |rest: &str| pixels(&get(&house, &format!("{}/{rest}", id(1))).await).2[0];
    assert_eq!(first("0,0,512,512/max/0/default.png").await, 0, "found: dark");
    assert_eq!(first("512,0,512,512/max/0/default.png").await, 255, "found: bright");
    assert_eq!(first("512,0,512,512/max/0/default.png?window=128,256").await, 110);
    let answer = get(&house, &format!("{}/full/max/0/default.png?window=7", id(1))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn iiif_rotation_mirroring_quality_and_format_are_as_asked() {
    let house = House::empty().await;
    Instance::grey("1.2.392.7.1.1", 3, 2, EXPLICIT, vec![10, 20, 30, 140, 150, 160]).take_in(&house).await;
    let check = async |rest: &str, expected: (u32, u32, &[u8])| {
        let (width, height, bytes) = pixels(&get(&house, &format!("{}/{rest}{PLAIN}", id(1))).await);
        assert_eq!((width, height, bytes.as_slice()), expected, "{rest}");
    };
    check("full/max/90/default.png", (2, 3, &[140, 10, 150, 20, 160, 30])).await;
    check("full/max/!0/gray.png", (3, 2, &[30, 20, 10, 160, 150, 140])).await;
    check("full/max/!180/color.png", (3, 2, &[140, 150, 160, 10, 20, 30])).await;
    check("full/max/0/bitonal.png", (3, 2, &[0, 0, 0, 255, 255, 255])).await;
    check("square/max/0/default.png", (2, 2, &[10, 20, 140, 150])).await;
    let jpeg = get(&house, &format!("{}/full/max/0/default.jpg", id(1))).await;
    assert_eq!(jpeg.header("content-type"), "image/jpeg");
    assert!(jpeg.body.starts_with(b"\xFF\xD8\xFF"));
    for (rest, status) in [
        ("full/max/45/default.png", StatusCode::NOT_IMPLEMENTED),
        ("full/max/0/default.webp", StatusCode::NOT_IMPLEMENTED),
        ("full/max/0/default.bmp", StatusCode::BAD_REQUEST),
        ("full/4,/0/default.png", StatusCode::BAD_REQUEST),
        ("3,0,1,1/max/0/default.png", StatusCode::BAD_REQUEST),
    ] {
        let answer = get(&house, &format!("{}/{rest}", id(1))).await;
        assert_eq!(answer.status, status, "{rest}");
        assert!(answer.json()["next_step"].is_string());
    }
}

#[tokio::test]
async fn iiif_answers_name_their_canonical_uri_and_are_tagged_and_recorded() {
    let house = House::new().await;
    let id = format!("{STUDY}:{SERIES}:{INSTANCE}");
    let path = format!("/iiif/{id}/pct:0,0,100,50/2,/0.0/gray.png");
    let answer = house.get(&path, &house.reader, "*/*").await;
    let links: Vec<&str> = answer.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let canonical = format!("<http://here:8080/iiif/{id}/0,0,4,2/2,1/0/default.png>;rel=\"canonical\"");
    assert_eq!(links, [format!("{canonical}, <http://iiif.io/api/image/3/level2.json>;rel=\"profile\"")]);
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let authorization = format!("Bearer {}", house.reader);
    let again = Request::get(format!("/iiif/{id}/0,0,4,2/2,1/0/default.png")).header("authorization", &authorization);
    let again = again.header("if-none-match", answer.header("etag")).body(String::new()).unwrap();
    assert_eq!(house.send(again).await.status, StatusCode::NOT_MODIFIED, "the same however it is asked for");
    let head = Request::head(&path).header("authorization", &authorization).body(String::new()).unwrap();
    let head = house.send(head).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), answer.header("content-length"));
    let accessed = house.log.of("accessed");
    assert_eq!((accessed.len(), &accessed[0]["rendition"], &accessed[0]["study"]), (1, &json!("view"), &json!(STUDY)));
}

#[tokio::test]
async fn iiif_needs_the_permission_to_view_and_a_refusal_names_the_study() {
    let house = House::new().await;
    let path = format!("/iiif/{STUDY}:{SERIES}:{INSTANCE}/full/max/0/default.jpg");
    assert_eq!(house.get(&path, &house.uploader, "*/*").await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.get(&path, "tsu_0", "*/*").await.status, StatusCode::UNAUTHORIZED);
    assert!(house.log.of("denied").iter().all(|event| event["study"] == STUDY));
    assert!(house.log.of("accessed").is_empty());
}

#[tokio::test]
async fn iiif_serves_nothing_that_cannot_be_recorded() {
    let house = House::new().await;
    house.log.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    for rest in ["info.json", "full/max/0/default.jpg"] {
        let answer = get(&house, &format!("{STUDY}:{SERIES}:{INSTANCE}/{rest}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{rest}");
    }
}

#[tokio::test]
async fn iiif_decoded_cells_are_kept_and_used_again() {
    let house = House::empty().await;
    let coded = high_throughput(1300, 900, numbers(1300, 900));
    Instance::grey("1.2.392.7.1.1", 1300, 900, codec::TRANSFER_SYNTAX_UID, coded).take_in(&house).await;
    let path = format!("{}/512,512,512,300/max/0/default.png{PLAIN}", id(1));
    let first = get(&house, &path).await;
    let kept = house.state.iiif().cells.bytes();
    assert!((512 * 388..512 * 388 + 1000).contains(&kept), "one cell of 512 by 388: {kept}");
    assert!(get(&house, &path).await.body == first.body);
    assert_eq!(house.state.iiif().cells.bytes(), kept, "nothing was decoded anew");
}

const RED: [u8; 3] = [200, 0, 0];
const GREEN: [u8; 3] = [0, 200, 0];
const BLUE: [u8; 3] = [0, 0, 200];
const GREY: [u8; 3] = [90, 90, 90];
const WHITE: [u8; 3] = [255, 255, 255];

/// The colour of one pixel of a region of one pixel.
async fn colour(house: &House, id: &str, x: u32, y: u32, query: &str) -> [u8; 3] {
    let answer = get(house, &format!("{id}/{x},{y},1,1/max/0/default.png{query}")).await;
    pixels(&answer).2.try_into().unwrap()
}

#[tokio::test]
async fn wsi_tiled_full_is_one_picture_of_its_tiles() {
    let house = House::empty().await;
    Instance::slide("1.2.392.7.1.1", matrix(13, 7, json!({})), &[RED, GREEN, BLUE, GREY]).take_in(&house).await;
    let info = get(&house, &format!("{}/info.json", id(1))).await.json();
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(13), Some(7)));
    assert_eq!(info["tiles"][0], json!({ "width": 8, "height": 4, "scaleFactors": [1, 2] }));
    for (x, y, expected) in [(0, 0, RED), (7, 3, RED), (8, 3, GREEN), (12, 0, GREEN), (0, 4, BLUE), (12, 6, GREY)] {
        assert_eq!(colour(&house, &id(1), x, y, "").await, expected, "{x} {y}");
    }
    let (width, height, bytes) = pixels(&get(&house, &format!("{}/4,2,8,4/max/0/default.png", id(1))).await);
    let row = |left: [u8; 3], right: [u8; 3]| [left.repeat(4), right.repeat(4)].concat();
    let expected = [row(RED, GREEN).repeat(2), row(BLUE, GREY).repeat(2)].concat();
    assert_eq!((width, height, bytes), (8, 4, expected));
    // One tile by its own address, too.
    assert_eq!(colour(&house, &format!("{}:3", id(1)), 0, 0, "").await, BLUE);
}

#[tokio::test]
async fn wsi_optical_paths_and_focal_planes_are_asked_for_by_number() {
    let house = House::empty().await;
    let planes = json!({ "00480303": { "vr": "UL", "Value": [2] } });
    Instance::slide("1.2.392.7.1.1", matrix(8, 4, planes), &[RED, GREEN, BLUE, GREY]).take_in(&house).await;
    for (query, expected) in [
        ("", RED),
        ("?focalplane=2", GREEN),
        ("?opticalpath=2", BLUE),
        ("?opticalpath=2&focalplane=2", GREY),
        ("?focalplane=3", WHITE),
    ] {
        assert_eq!(colour(&house, &id(1), 0, 0, query).await, expected, "{query}");
    }
    let wrong = get(&house, &format!("{}/full/max/0/default.png?opticalpath=x", id(1))).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

fn sparse(places: &[(u32, u32)]) -> Value {
    let frame = |&(x, y): &(u32, u32)| {
        let number = |value: u32| json!({ "vr": "SL", "Value": [value + 1] });
        json!({ "0048021A": { "vr": "SQ", "Value": [{ "0048021E": number(x), "0048021F": number(y) }] } })
    };
    let frames: Vec<Value> = places.iter().map(frame).collect();
    json!({
        "00209311": { "vr": "CS", "Value": ["TILED_SPARSE"] },
        "52009230": { "vr": "SQ", "Value": frames }
    })
}

#[tokio::test]
async fn wsi_tiled_sparse_lies_where_it_says_and_the_rest_is_glass() {
    let house = House::empty().await;
    let document = matrix(40, 20, sparse(&[(16, 8), (3, 1)]));
    Instance::slide("1.2.392.7.1.1", document, &[RED, GREEN]).take_in(&house).await;
    for (x, y, expected) in
        [(16, 8, RED), (23, 11, RED), (15, 8, WHITE), (24, 8, WHITE), (3, 1, GREEN), (10, 4, GREEN), (11, 4, WHITE)]
    {
        assert_eq!(colour(&house, &id(1), x, y, "").await, expected, "{x} {y}");
    }
    let whole = pixels(&get(&house, &format!("{}/full/max/0/default.png", id(1))).await).2;
    let count = |colour: [u8; 3]| whole.as_chunks::<3>().0.iter().filter(|pixel| **pixel == colour).count();
    assert_eq!((count(RED), count(GREEN), count(WHITE)), (32, 32, 800 - 64));
}

#[tokio::test]
async fn wsi_concatenations_are_one_picture() {
    let house = House::empty().await;
    let part = |number: u32, offset: u32| {
        let more = json!({ "00209161": { "vr": "UI", "Value": ["1.2.392.7.9"] },
            "00209162": { "vr": "US", "Value": [number] }, "00209228": { "vr": "UL", "Value": [offset] } });
        matrix(16, 8, more)
    };
    Instance::slide("1.2.392.7.1.2", part(2, 3), &[GREY]).take_in(&house).await;
    Instance::slide("1.2.392.7.1.1", part(1, 0), &[RED, GREEN, BLUE]).take_in(&house).await;
    let series = format!("{STUDY_UID}:{SERIES_UID}");
    for (x, y, expected) in [(0, 0, RED), (8, 0, GREEN), (0, 4, BLUE), (8, 4, GREY)] {
        assert_eq!(colour(&house, &series, x, y, "").await, expected, "{x} {y}");
    }
}

#[tokio::test]
async fn wsi_a_series_is_one_picture_of_its_levels_without_label_and_overview() {
    let house = House::empty().await;
    let flavour = |word: &str| json!({ "00080008": { "vr": "CS", "Value": ["ORIGINAL", "PRIMARY", word, "NONE"] } });
    // Each level has a colour of its own, so that one sees which was read.
    Instance::slide("1.2.392.7.1.1", matrix(16, 8, json!({})), &[GREEN; 4]).take_in(&house).await;
    Instance::slide("1.2.392.7.1.2", matrix(64, 32, json!({})), &[RED; 64]).take_in(&house).await;
    Instance::slide("1.2.392.7.1.3", matrix(80, 80, flavour("LABEL")), &[BLUE; 200]).take_in(&house).await;
    Instance::slide("1.2.392.7.1.4", matrix(32, 16, flavour("OVERVIEW")), &[BLUE; 16]).take_in(&house).await;
    Instance::slide("1.2.392.7.1.5", matrix(8, 4, flavour("THUMBNAIL")), &[GREY]).take_in(&house).await;
    let series = format!("{STUDY_UID}:{SERIES_UID}");
    let info = get(&house, &format!("{series}/info.json")).await.json();
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(64), Some(32)));
    assert_eq!(info["tiles"][0]["scaleFactors"], json!([1, 2, 4, 8]));
    let at = async |size: &str| -> [u8; 3] {
        let answer = get(&house, &format!("{series}/0,0,64,32/{size}/0/default.png")).await;
        pixels(&answer).2[..3].try_into().unwrap()
    };
    assert_eq!([at("64,32").await, at("32,16").await, at("17,").await], [RED, RED, RED]);
    assert_eq!([at("16,8").await, at("9,").await, at("8,4").await, at("1,").await], [GREEN, GREEN, GREY, GREY]);
    assert_eq!(colour(&house, &id(3), 0, 0, "").await, BLUE, "the label is there by its own name");
}

#[tokio::test]
async fn wsi_a_jpeg_tile_is_given_out_as_it_is_held() {
    let house = House::empty().await;
    let picture =
        |shade: u8| transcode::Picture { width: 16, height: 16, components: 3, bytes: vec![shade; 16 * 16 * 3] };
    let tiles: Vec<Vec<u8>> = [30, 90, 150, 210].iter().map(|shade| picture(*shade).jpeg(80).unwrap()).collect();
    let mut slide = Instance::slide("1.2.392.7.1.1", matrix(30, 32, json!({})), &[]);
    (slide.columns, slide.rows, slide.syntax, slide.photometric) = (16, 16, JPEG, "YBR_FULL_422");
    slide.frames = tiles.clone();
    slide.take_in(&house).await;
    let tile = async |rest: &str| get(&house, &format!("{}/{rest}", id(1))).await.body;
    assert!(tile("0,0,16,16/16,16/0/default.jpg").await == tiles[0]);
    assert!(tile("0,16,16,16/max/0/color.jpg").await == tiles[2]);
    // At the edge, turned, in another size or place it is another picture.
    for rest in ["16,0,14,16/max/0/default.jpg", "0,0,16,16/max/90/default.jpg", "0,0,16,16/8,8/0/default.jpg"] {
        let body = tile(rest).await;
        assert!(body.starts_with(b"\xFF\xD8") && !tiles.contains(&body.to_vec()), "{rest}");
    }
    assert!(tile("1,0,16,16/max/0/default.jpg").await != tiles[0]);
    assert!(house.state.iiif().cells.bytes() > 0);
}

/// 100,000 tiles: the map is read once, and more than can be read at once is refused and not offered.
#[tokio::test]
async fn wsi_of_many_tiles_is_bounded_and_its_map_is_kept() {
    let house = House::empty().await;
    let mut slide = Instance::slide("1.2.392.7.1.1", matrix(8 * 400, 4 * 250, json!({})), &[]);
    slide.frames = vec![GREEN.repeat(32); 100_000];
    slide.take_in(&house).await;
    let info = get(&house, &format!("{}/info.json", id(1))).await.json();
    assert_eq!(info["tiles"][0]["scaleFactors"], json!([1, 2, 4, 8, 16, 32, 64]), "64 by 64 tiles at once");
    assert_eq!(info["sizes"], json!([]), "all of it cannot be read at once");
    let answer = get(&house, &format!("{}/full/!100,100/0/default.jpg", id(1))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.json()["next_step"].as_str().unwrap().contains("smaller region"));
    let path = format!("{}/1024,512,512,256/64,64/0/default.png", id(1));
    assert!(pixels(&get(&house, &path).await).2.as_chunks::<3>().0.iter().all(|pixel| *pixel == GREEN));
    let began = std::time::Instant::now();
    for x in 0..50 {
        assert_eq!(colour(&house, &id(1), x * 8, 0, "").await, GREEN);
    }
    assert!(began.elapsed().as_secs() < 20, "the frame table is not read for every tile");
}

/// Fewer frames than the matrix has tiles.
#[tokio::test]
async fn wsi_a_frame_beyond_the_last_is_glass() {
    let house = House::empty().await;
    Instance::slide("1.2.392.7.1.1", matrix(16, 8, json!({})), &[RED, GREEN, BLUE]).take_in(&house).await;
    assert_eq!(colour(&house, &id(1), 8, 4, "").await, WHITE);
    assert_eq!(colour(&house, &id(1), 0, 4, "").await, BLUE);
}
