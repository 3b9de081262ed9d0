//! WADO-RS by its paragraphs (PS3.18 §8, §10.4): what is accepted, in which transfer syntax it goes out, and what HTTP says
//! around it. docs/conformance/wado-rs.md names each test.

use axum::http::{Request, StatusCode};
use transcode::codec::Coders;
use transcode::data_set::{Limits, scan};

use super::fixture::{Answer, DOCUMENT, EXPLICIT, House, INSTANCE, SERIES, STUDY, file, samples};

const HTJ2K: &str = "1.2.840.10008.1.2.4.202";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

pub(super) fn place() -> String {
    format!("/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}")
}

/// Heads and bodies of a multipart answer.
pub(super) fn parts(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let boundary = answer.header("content-type").rsplit_once("boundary=").unwrap().1.trim_matches('"').to_owned();
    let (mark, mut rest, mut out) = (format!("--{boundary}").into_bytes(), answer.body.as_ref(), Vec::new());
    let find = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).position(|window| window == needle);
    while let Some(at) = find(rest, &mark) {
        let Some(after) = rest[at + mark.len()..].strip_prefix(b"\r\n") else { break };
        let start = find(after, b"\r\n\r\n").unwrap() + 4;
        let end = find(after, &[b"\r\n", mark.as_slice()].concat()).unwrap();
        out.push((String::from_utf8(after[..start].to_vec()).unwrap(), after[start..end].to_vec()));
        rest = &after[end..];
    }
    out
}

fn transfer_syntax(file: &[u8]) -> String {
    scan(&mut std::io::Cursor::new(file), &Limits::default()).unwrap().transfer_syntax_uid
}

/// An answer to a request with these headers.
async fn ask(house: &House, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "here:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("authorization", format!("Bearer {}", house.original));
    house.send(request.body(String::new()).unwrap()).await
}

async fn packed() -> House {
    let house = House::new().await;
    house.pack(1, &Coders::default()).await;
    house
}

#[tokio::test]
async fn a_link_that_saves_a_file_is_followed_without_an_accept_header() {
    let house = House::new().await;
    let path = format!("/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}");
    let request = || Request::get(&path).header("authorization", format!("Bearer {}", house.reader));
    let saved = house.send(request().header("sec-fetch-mode", "navigate").body(String::new()).unwrap()).await;
    assert_eq!(saved.status, StatusCode::OK);
    assert!(saved.header("content-type").starts_with("application/dicom;"), "{saved:?}");
    assert_eq!(house.send(request().body(String::new()).unwrap()).await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn without_a_transfer_syntax_explicit_vr_little_endian_goes_out() {
    // PS3.18 §8.7.3, §8.7.8.2: packed as codestreams, received as Explicit VR Little Endian.
    let house = packed().await;
    for accept in ["*/*", "multipart/related; type=\"application/dicom\"", "multipart/related; type=application/dicom"]
    {
        let answer = house.get(&place(), &house.reader, accept).await;
        assert_eq!(answer.status, StatusCode::OK, "{accept}");
        let parts = parts(&answer);
        assert!(parts[0].0.contains(&format!("Content-Type: application/dicom; transfer-syntax={EXPLICIT}\r\n")));
        assert!(parts[0].1 == file(1, 1, 1), "{accept}");
    }
    let single = house.get(&place(), &house.reader, "application/dicom").await;
    assert_eq!(single.header("content-type"), format!("application/dicom; transfer-syntax={EXPLICIT}"));
    assert!(single.body == file(1, 1, 1));
}

#[tokio::test]
async fn transfer_syntax_star_is_as_held() {
    // PS3.18 §8.7.3.5.2: any will do, so nothing is decoded.
    let house = packed().await;
    for accept in ["application/dicom; transfer-syntax=*", "application/dicom;transfer-syntax=\"*\""] {
        let answer = house.get(&place(), &house.reader, accept).await;
        assert_eq!(transfer_syntax(&answer.body), HTJ2K, "{accept}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_written_in_that_transfer_syntax() {
    // PS3.18 §8.7.8.2: quoted or not; from files as received and from packed ones.
    let as_received = House::new().await;
    let as_packed = packed().await;
    for house in [&as_received, &as_packed] {
        for uid in
            [EXPLICIT, HTJ2K, "1.2.840.10008.1.2.4.201", JPEG_2000, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"]
        {
            for accept in [
                format!("application/dicom; transfer-syntax={uid}"),
                format!("application/dicom;transfer-syntax=\"{uid}\""),
            ] {
                let answer = house.get(&place(), &house.reader, &accept).await;
                assert_eq!((answer.status, transfer_syntax(&answer.body).as_str()), (StatusCode::OK, uid), "{accept}");
                assert_eq!(answer.header("content-type"), format!("application/dicom; transfer-syntax={uid}"));
            }
            let accept = format!("multipart/related; type=\"application/dicom\"; transfer-syntax={uid}");
            let study = house.get(&format!("/dicom-web/studies/{STUDY}"), &house.reader, &accept).await;
            let parts = parts(&study);
            assert_eq!(parts.len(), 4);
            for (head, body) in parts {
                assert!(head.contains(&format!("transfer-syntax={uid}\r\n")), "{head}");
                assert_eq!(transfer_syntax(&body), uid);
            }
        }
    }
}

#[tokio::test]
async fn implicit_and_big_endian_are_not_for_the_web_and_406_lists_what_is() {
    // PS3.18 §8.7.3: "shall not be used with Web Services"; §8.5: 406 with what there is.
    let house = House::new().await;
    for uid in ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50", "1.2.3", ""] {
        let accept = format!("multipart/related; type=\"application/dicom\"; transfer-syntax={uid}");
        let answer = house.get(&place(), &house.reader, &accept).await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{uid}");
        let offered = answer.json()["media_types"].to_string();
        assert!(offered.contains(EXPLICIT) && offered.contains(HTJ2K), "{offered}");
    }
}

#[tokio::test]
async fn weights_decide_and_ranges_that_are_none_are_ignored() {
    // PS3.18 §8.7.5, §8.7.7: q, several headers, malformed ranges.
    let house = packed().await;
    let check = async |accepts: &[&str], expected: &str| {
        let headers: Vec<(&str, &str)> = accepts.iter().map(|accept| ("accept", *accept)).collect();
        let answer = ask(&house, "GET", &place(), &headers).await;
        assert_eq!((answer.status, transfer_syntax(&answer.body).as_str()), (StatusCode::OK, expected), "{accepts:?}");
    };
    let dicom = |uid: &str, q: &str| format!("application/dicom; transfer-syntax={uid};q={q}");
    check(&[&format!("{}, {}", dicom(EXPLICIT, "0.1"), dicom(HTJ2K, "0.9"))], HTJ2K).await;
    check(&[&dicom(EXPLICIT, "0.9"), &dicom(HTJ2K, "0.1")], EXPLICIT).await;
    check(&[&format!("{}, {}", dicom(HTJ2K, "0"), dicom(EXPLICIT, "0.2"))], EXPLICIT).await;
    check(&["nonsense, /, image/, ;;q=1, application/dicom;transfer-syntax=*"], HTJ2K).await;
    check(&[&format!("{}, {}", dicom("1.2.3", "1"), dicom(JPEG_2000, "0.5"))], JPEG_2000).await;
}

#[tokio::test]
async fn without_an_accept_header_nothing_is_acceptable() {
    // PS3.18 §8.7.5, §8.7.7: 406, also with an accept parameter; HEAD has no payload.
    let house = House::new().await;
    for path in [place(), format!("{}/metadata", place()), format!("{}?accept=application/dicom", place())] {
        assert_eq!(ask(&house, "GET", &path, &[]).await.status, StatusCode::NOT_ACCEPTABLE, "{path}");
    }
    assert_eq!(ask(&house, "HEAD", &place(), &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn dicom_and_rendered_media_types_side_by_side_are_a_bad_request() {
    // PS3.18 §8.7.5.
    let house = House::new().await;
    let answer = house.get(&place(), &house.reader, "application/dicom, image/jpeg").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let metadata = format!("{}/metadata", place());
    assert_eq!(house.get(&metadata, &house.reader, "application/dicom+json, */*").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_accept_parameter_goes_before_the_header() {
    // PS3.18 §8.3.3.1, §8.7.8.1.
    let house = House::new().await;
    let png = house.get(&format!("{}/rendered?accept=image/png", place()), &house.reader, "*/*").await;
    assert_eq!(png.header("content-type"), "image/png");
    let not_allowed = house.get(&format!("{}/rendered?accept=image/png", place()), &house.reader, "image/jpeg").await;
    assert_eq!(not_allowed.header("content-type"), "image/jpeg");
    let quoted = "multipart/related;type=%22application/dicom%22;transfer-syntax=1.2.840.10008.1.2.4.202";
    let dicom = house.get(&format!("{}?accept={quoted}", place()), &house.reader, "*/*").await;
    assert_eq!(transfer_syntax(&parts(&dicom)[0].1), HTJ2K);
}

#[tokio::test]
async fn a_single_part_is_for_single_instances_only() {
    // PS3.18 §10.4.4.
    let house = House::new().await;
    for path in [format!("/dicom-web/studies/{STUDY}"), format!("/dicom-web/studies/{STUDY}/series/{SERIES}")] {
        let answer = house.get(&path, &house.reader, "application/dicom").await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{path}");
        let rendered = house.get(&format!("{path}/rendered"), &house.reader, "image/jpeg").await;
        assert_eq!(rendered.status, StatusCode::NOT_ACCEPTABLE, "{path}");
    }
}

#[tokio::test]
async fn multipart_names_its_type_its_boundary_and_the_place_of_each_part() {
    // PS3.18 §8.6.1.2.1; RFC 2387: the type parameter is quoted, the boundary a token, the last one closed.
    let house = House::new().await;
    let answer = house
        .get(&format!("/dicom-web/studies/{STUDY}"), &house.reader, "multipart/related; type=\"application/dicom\"")
        .await;
    let kind = answer.header("content-type").to_owned();
    assert!(kind.starts_with("multipart/related; type=\"application/dicom\"; boundary="), "{kind}");
    let boundary = kind.rsplit_once('=').unwrap().1;
    assert!(boundary.len() <= 70 && boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    assert!(answer.body.ends_with(format!("\r\n--{boundary}--\r\n").as_bytes()));
    for (head, _) in parts(&answer) {
        assert!(head.contains("Content-Location: http://here:8080/dicom-web/studies/"), "{head}");
    }
}

#[tokio::test]
async fn octet_streams_of_instances_are_their_bulk_data() {
    // PS3.18 §10.4.4, note on multipart/related; type="application/octet-stream".
    let house = House::new().await;
    let accept = "multipart/related; type=\"application/octet-stream\"";
    let old = house.get(&place(), &house.reader, accept).await;
    let new = house.get(&format!("{}/bulkdata", place()), &house.reader, accept).await;
    assert_eq!(parts(&old), parts(&new));
}

#[tokio::test]
async fn bulk_data_of_every_level_is_a_part_each_at_its_uri() {
    // PS3.18 §10.4.1.1.5: the place of a part is the BulkDataURI of the metadata.
    let house = House::new().await;
    let accept = "multipart/related; type=\"application/octet-stream\"";
    for (path, count) in [("", 4), ("/series/1.2.392.1.1", 2), ("/series/1.2.392.1.1/instances/1.2.392.1.1.1", 1)] {
        let answer = house.get(&format!("/dicom-web/studies/{STUDY}{path}/bulkdata"), &house.reader, accept).await;
        assert!(answer.header("content-type").starts_with("multipart/related; type=\"application/octet-stream\""));
        let parts = parts(&answer);
        assert_eq!(parts.len(), count, "{path}");
        for (head, body) in parts {
            assert!(head.contains("/bulkdata/00420011\r\n") && body == DOCUMENT, "{head}");
        }
    }
    let none = house.get(&format!("/dicom-web/studies/{STUDY}/bulkdata"), &house.reader, "image/jpeg").await;
    assert_eq!(none.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn pixel_data_as_bulk_data_is_native_also_where_it_is_held_as_codestreams() {
    // PS3.18 §8.7.3.3: uncompressed, little-endian.
    let as_received = House::new().await;
    let as_packed = packed().await;
    for house in [as_received, as_packed] {
        let answer =
            house.get(&format!("{}/bulkdata/7FE00010", place()), &house.reader, "application/octet-stream").await;
        assert!(answer.body == [samples(1, 1), samples(1, 2)].concat(), "{}", answer.status);
    }
}

#[tokio::test]
async fn ranges_of_bulk_data_are_206_with_their_place() {
    // PS3.18 §10.4.1.1.5; RFC 9110 §14.
    let house = House::new().await;
    let path = format!("{}/bulkdata/00420011", place());
    let accept = ("accept", "application/octet-stream");
    let part = ask(&house, "GET", &path, &[accept, ("range", "bytes=10-19")]).await;
    assert_eq!((part.status, part.body.len()), (StatusCode::PARTIAL_CONTENT, 10));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 10-19/3000", "10"));
    let beyond = ask(&house, "GET", &path, &[accept, ("range", "bytes=3000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */3000"));
    let other = ask(&house, "GET", &path, &[accept, ("range", "bytes=0-1"), ("if-range", "\"another\"")]).await;
    assert_eq!((other.status, other.body.len()), (StatusCode::OK, 3000));
    assert_eq!(other.header("accept-ranges"), "bytes");
    assert!(other.header("content-location").ends_with("/bulkdata/00420011"));
}

#[tokio::test]
async fn metadata_is_json_by_default_and_xml_in_parts() {
    // PS3.18 §10.4.1.1.2, Table 10.4.4-1, §8.7.3.2.
    let house = House::new().await;
    for (path, count) in [
        (format!("/dicom-web/studies/{STUDY}"), 4),
        (format!("/dicom-web/studies/{STUDY}/series/{SERIES}"), 2),
        (place(), 1),
    ] {
        let path = format!("{path}/metadata");
        for accept in ["*/*", "application/dicom+json", "application/json", "application/*"] {
            let answer = house.get(&path, &house.reader, accept).await;
            assert_eq!(answer.header("content-type"), "application/dicom+json", "{accept}");
            assert_eq!(answer.json().as_array().unwrap().len(), count);
        }
        let xml = house.get(&path, &house.reader, "multipart/related; type=\"application/dicom+xml\"").await;
        assert!(xml.header("content-type").starts_with("multipart/related; type=\"application/dicom+xml\"; boundary="));
        let parts = parts(&xml);
        assert_eq!(parts.len(), count);
        for (head, body) in parts {
            assert!(head.contains("Content-Type: application/dicom+xml\r\n"), "{head}");
            let text = String::from_utf8(body).unwrap();
            assert!(text.contains("<NativeDicomModel") && text.contains("uri=\"http://here:8080/dicom-web/"), "{text}");
        }
    }
    let alone = house.get(&format!("{}/metadata", place()), &house.reader, "application/dicom+xml").await;
    assert!(alone.body.starts_with(b"<?xml"), "{alone:?}");
    let refused = house.get(&format!("{}/metadata", place()), &house.reader, "image/png").await;
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
    assert!(refused.json()["media_types"].to_string().contains("dicom+json"));
}

#[tokio::test]
async fn character_sets_other_than_utf_8_are_refused() {
    // PS3.18 §8.3.3.2 (the parameter: 400), §8.8.
    let house = House::new().await;
    let metadata = format!("{}/metadata", place());
    let check = async |path: String, charset: &str, expected: StatusCode| {
        let headers = [("accept", "*/*"), ("accept-charset", charset)];
        assert_eq!(ask(&house, "GET", &path, &headers).await.status, expected, "{path} {charset}");
    };
    check(metadata.clone(), "utf-8", StatusCode::OK).await;
    check(metadata.clone(), "iso-8859-1, *;q=0.1", StatusCode::OK).await;
    check(metadata.clone(), "iso-2022-jp", StatusCode::NOT_ACCEPTABLE).await;
    check(format!("{metadata}?charset=UTF-8"), "utf-8", StatusCode::OK).await;
    check(format!("{metadata}?charset=klingon"), "utf-8", StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn what_does_not_change_is_tagged_and_not_sent_again() {
    // RFC 9110 §13.1.2: 304 for files, studies, metadata, bulk data and pictures.
    let house = House::new().await;
    let study = format!("/dicom-web/studies/{STUDY}");
    let paths = [
        place(),
        study.clone(),
        format!("{study}/metadata"),
        format!("{}/bulkdata/00420011", place()),
        format!("{}/rendered", place()),
    ];
    for path in paths {
        let first = house.get(&path, &house.reader, "*/*").await;
        let tag = first.header("etag").to_owned();
        assert!(tag.ends_with('"'), "{path}: {tag}");
        assert!(first.header("cache-control").contains("private"), "{path}");
        let again = ask(&house, "GET", &path, &[("accept", "*/*"), ("if-none-match", &tag)]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
    }
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    // RFC 9110 §9.3.2.
    let house = House::new().await;
    let study = format!("/dicom-web/studies/{STUDY}");
    for path in [
        place(),
        study.clone(),
        format!("{study}/metadata"),
        format!("{study}/rendered"),
        format!("{}/rendered", place()),
    ] {
        let head = ask(&house, "HEAD", &path, &[("accept", "*/*")]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert!(!head.header("content-type").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn options_says_what_can_be_done_and_the_base_describes_everything() {
    // RFC 9110 §9.3.7; PS3.18 §8.9: WADL by default, JSON on request, without a credential.
    let house = House::new().await;
    let options = async |path: &str, accept: &str| {
        let request = Request::options(path).header("host", "here:8080").header("accept", accept);
        house.send(request.body(String::new()).unwrap()).await
    };
    let answer = options(&place(), "*/*").await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"));
    assert!(options("/dicom-web/studies", "*/*").await.header("allow").contains("POST"));
    let wadl = options("/dicom-web", "application/vnd.sun.wadl+xml").await;
    let text = String::from_utf8(wadl.body.to_vec()).unwrap();
    assert_eq!(wadl.header("content-type"), "application/vnd.sun.wadl+xml");
    assert!(text.contains("<application") && text.contains("base=\"http://here:8080/dicom-web\""), "{text}");
    assert!(text.contains("studies/{study}/series/{series}/instances/{instance}/frames/{frames}"));
    assert!(options("/dicom-web", "application/json").await.json()["resources"].as_array().unwrap().len() > 20);
}

#[tokio::test]
async fn methods_that_are_not_there_are_405_with_allow_and_paths_that_are_not_404() {
    // RFC 9110 §15.5.6; both as JSON sentences.
    let house = House::new().await;
    let answer = ask(&house, "PUT", &place(), &[("accept", "*/*")]).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let allow = answer.header("allow").to_owned();
    assert!(["GET", "HEAD", "OPTIONS"].iter().all(|method| allow.contains(method)), "{allow}");
    assert!(answer.json()["next_step"].is_string());
    let unknown = ask(&house, "GET", "/dicom-web/patients", &[("accept", "*/*")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.json()["error"].is_string());
}

#[tokio::test]
async fn texts_are_compressed_on_request_and_pixels_never() {
    // RFC 9110 §12.5.3: JSON by gzip or zstd, with Vary; a picture and a file stay as they are.
    let house = House::new().await;
    let metadata = format!("/dicom-web/studies/{STUDY}/metadata");
    let plain = house.get(&metadata, &house.reader, "*/*").await;
    for coding in ["gzip", "zstd"] {
        let answer = ask(&house, "GET", &metadata, &[("accept", "*/*"), ("accept-encoding", coding)]).await;
        assert_eq!((answer.header("content-encoding"), answer.header("content-length")), (coding, ""));
        let varies: Vec<_> = answer.headers.get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
        assert!(varies.join(",").contains("Accept-Encoding"));
        let mut back = Vec::new();
        match coding {
            "gzip" => drop(std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut back)),
            _ => back = zstd::decode_all(&answer.body[..]).unwrap(),
        }
        assert!(back == plain.body, "{coding}");
        let tag = answer.header("etag").to_owned();
        let again = ask(&house, "GET", &metadata, &[("accept", "*/*"), ("if-none-match", &tag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{tag}");
    }
    for path in [place(), format!("{}/rendered", place()), format!("{}/bulkdata/00420011", place())] {
        let answer = ask(&house, "GET", &path, &[("accept", "*/*"), ("accept-encoding", "gzip, zstd")]).await;
        assert_eq!(answer.header("content-encoding"), "", "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_only_where_one_is_named() {
    // The Fetch standard: exact origins, with credentials; a preflight without one.
    let house = House::new().await;
    let open = crate::cors(house.router.clone(), &["https://viewer.example".into()]);
    let ask = async |router: &axum::Router, origin: &str, method: &str| {
        let request = Request::builder().method(method).uri(place()).header("origin", origin).header("accept", "*/*");
        let request = request.header("authorization", format!("Bearer {}", house.reader));
        let request =
            request.header("access-control-request-method", "GET").header("access-control-request-headers", "range");
        super::fixture::send(router, request.body(String::new()).unwrap()).await
    };
    let get = ask(&open, "https://viewer.example", "GET").await;
    assert_eq!(get.header("access-control-allow-origin"), "https://viewer.example");
    assert_eq!(get.header("access-control-allow-credentials"), "true");
    let preflight = ask(&open, "https://viewer.example", "OPTIONS").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (StatusCode::NO_CONTENT, "range"));
    for (router, origin) in [(&open, "https://other.example"), (&house.router, "https://viewer.example")] {
        assert_eq!(ask(router, origin, "GET").await.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn metadata_of_a_long_series_is_ready_to_send() {
    // Prints what it costs to answer for 300 packed instances of a series; a bound that only a mistake exceeds.
    let house = House::empty().await;
    for instance in 1..=300 {
        house.take_in(1, 1, instance).await;
    }
    house.pack(1, &Coders::default()).await;
    let path = format!("/dicom-web/studies/{STUDY}/series/{SERIES}/metadata");
    let mut times = Vec::new();
    for _ in 0..21 {
        let start = std::time::Instant::now();
        let answer = house.get(&path, &house.reader, "application/dicom+json").await;
        times.push(start.elapsed());
        assert_eq!(answer.status, StatusCode::OK);
    }
    times.sort();
    println!("metadata of 300 instances: p50 {:?}, first and worst {:?}", times[10], times[20]);
    assert!(times[10] < std::time::Duration::from_millis(500));
}
