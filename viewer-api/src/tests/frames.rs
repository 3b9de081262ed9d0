//! Frames: as held, by range, up to a resolution level, coded anew, under addresses that last (PS3.18 §10.4.1.1.6, §8.7).

use axum::http::{Request, StatusCode};
use proptest::prelude::*;
use transcode::codec::{Coders, decode};

use super::fixture::{Answer, House, INSTANCE, SERIES, STUDY, samples};
use super::wado::place;

const AS_CORNERSTONE_ASKS: &str = "multipart/related; type=application/octet-stream; transfer-syntax=*";
const HTJ2K: &str = "1.2.840.10008.1.2.4.202";

async fn packed() -> House {
    let house = House::new().await;
    house.pack(1, &Coders::HTJ2K).await;
    house
}

/// GET with a reader's token and these headers.
async fn get(house: &House, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).header("authorization", format!("Bearer {}", house.reader));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house.send(request.body(String::new()).unwrap()).await
}

/// What Cornerstone3D makes of a body (wadors/extractMultipart.js): the boundary is looked for in the body itself.
fn extracted(body: &[u8]) -> (String, Vec<u8>) {
    let find = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).position(|window| window == needle);
    let head_ends = find(body, b"\r\n\r\n").expect("a part begins");
    let head = String::from_utf8(body[..head_ends].to_vec()).unwrap();
    let boundary = head.lines().find(|line| line.starts_with("--")).unwrap().to_owned();
    let kind = head.lines().find_map(|line| line.strip_prefix("Content-Type:")).unwrap().trim().to_owned();
    let rest = &body[head_ends + 4..];
    let end = find(rest, boundary.as_bytes()).map_or(rest.len(), |end| end - 2);
    (kind, rest[..end].to_vec())
}

fn twelve_bits(codestream: &[u8]) -> Vec<u8> {
    match decode(codestream).unwrap().values() {
        transcode::Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn frames_as_held_are_codestreams_of_known_length_and_type() {
    let house = packed().await;
    let accept = format!("image/jphc;transfer-syntax={HTJ2K}");
    let answer = get(&house, &format!("{}/frames/2", place()), &[("accept", &accept)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), accept);
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert!(answer.headers.get("content-encoding").is_none());
    assert!(answer.header("etag").starts_with('"'), "a strong tag");
    assert!(twelve_bits(&answer.body) == samples(1, 2));
}

#[tokio::test]
async fn frames_in_parts_have_a_content_length_and_the_same_boundary_each_time() {
    let house = packed().await;
    let path = format!("{}/frames/2,1", place());
    let one = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS)]).await;
    let two = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert_eq!(one.header("content-length"), one.body.len().to_string());
    assert!(one.body == two.body && one.header("content-type") == two.header("content-type"));
    let (kind, frame) = extracted(&one.body);
    assert_eq!(kind, format!("image/jphc;transfer-syntax={HTJ2K}"));
    assert!(twelve_bits(&frame) == samples(1, 2));
    let other = get(&house, &format!("{}/frames/1,2", place()), &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert_ne!(other.header("etag"), one.header("etag"));
    assert_ne!(other.header("content-type"), one.header("content-type"), "another body, another boundary");
}

#[tokio::test]
async fn head_says_what_get_says() {
    let house = packed().await;
    for accept in
        [AS_CORNERSTONE_ASKS, "image/jphc", "application/octet-stream", "multipart/related; type=\"image/jp2\""]
    {
        let path = format!("{}/frames/1", place());
        let get = get(&house, &path, &[("accept", accept), ("host", "here")]).await;
        let head = Request::head(&path).header("authorization", format!("Bearer {}", house.reader));
        let head = house.send(head.header("accept", accept).header("host", "here").body(String::new()).unwrap()).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        for name in ["content-length", "content-type", "etag", "accept-ranges", "cache-control", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{name} for {accept}");
        }
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let tag = get(&house, &path, &[("accept", "image/jphc")]).await.header("etag").to_owned();
    for held in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
        let answer = get(&house, &path, &[("accept", "image/jphc"), ("if-none-match", &held)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{held}");
        assert_eq!(answer.header("etag"), tag);
    }
    let other = get(&house, &path, &[("accept", "application/octet-stream"), ("if-none-match", &tag)]).await;
    assert_eq!(other.status, StatusCode::OK, "the same frame in another form is another representation");
}

#[tokio::test]
async fn a_range_is_of_the_whole_body_framing_included() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let whole = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS)]).await;
    let total = whole.body.len();
    let check = async |range: &str, expected: std::ops::Range<usize>| {
        let answer = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS), ("range", range)]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        let says = format!("bytes {}-{}/{total}", expected.start, expected.end - 1);
        assert_eq!(answer.header("content-range"), says);
        assert_eq!(answer.header("content-length"), expected.len().to_string());
        assert_eq!(answer.header("content-type"), whole.header("content-type"));
        assert_eq!(answer.header("etag"), whole.header("etag"));
        assert!(answer.body == whole.body[expected], "{range}");
    };
    check("bytes=0-63", 0..64).await;
    check("bytes=64-", 64..total).await;
    check("bytes=-5", total - 5..total).await;
    check("bytes=10-999999", 10..total).await;
}

#[tokio::test]
async fn a_range_beyond_the_end_is_416_and_brings_no_body() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let total = get(&house, &path, &[("accept", "image/jphc")]).await.body.len();
    let range = format!("bytes={total}-");
    let answer = get(&house, &path, &[("accept", "image/jphc"), ("range", &range)]).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::RANGE_NOT_SATISFIABLE, 0));
    assert_eq!(answer.header("content-range"), format!("bytes */{total}"));
}

#[tokio::test]
async fn several_ranges_and_senseless_ones_get_all_of_it() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    for range in ["bytes=0-1,4-5", "bytes=5-1", "lines=1-2", "bytes"] {
        let answer = get(&house, &path, &[("accept", "image/jphc"), ("range", range)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{range}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    }
}

#[tokio::test]
async fn if_range_of_another_representation_gets_all_of_it() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let tag = get(&house, &path, &[("accept", "image/jphc")]).await.header("etag").to_owned();
    let check = async |held: &str, expected| {
        let headers = [("accept", "image/jphc"), ("range", "bytes=0-3"), ("if-range", held)];
        assert_eq!(get(&house, &path, &headers).await.status, expected, "{held}");
    };
    check(&tag, StatusCode::PARTIAL_CONTENT).await;
    check(&format!("W/{tag}"), StatusCode::OK).await;
    check("\"other\"", StatusCode::OK).await;
    check("Mon, 23 Nov 2026 00:00:00 GMT", StatusCode::OK).await;
}

/// The steps of @cornerstonejs/dicom-image-loader 5.14 (internal/rangeRequest.js): a first chunk, then to the end.
#[tokio::test]
async fn cornerstones_range_mode_puts_the_frame_together() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let first = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS), ("range", "bytes=0-399")]).await;
    let total: usize = first.header("content-range").split('/').nth(1).unwrap().parse().unwrap();
    let mut encoded = first.body.to_vec();
    // A first part is taken out of what is there so far.
    assert_eq!(extracted(&encoded).0, format!("image/jphc;transfer-syntax={HTJ2K}"));
    for _ in 0..2 {
        // The loader asks once more when it has all of it, and appends whatever comes.
        let range = format!("bytes={}-", encoded.len());
        let next = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS), ("range", &range)]).await;
        encoded.extend_from_slice(&next.body);
        assert_eq!(next.header("content-range").split('/').nth(1).unwrap(), total.to_string());
    }
    assert_eq!(encoded.len(), total);
    assert!(twelve_bits(&extracted(&encoded).1) == samples(1, 1));
}

/// internal/streamRequest.js: it wants status 200 and a Content-Length, and reads the part while it comes.
#[tokio::test]
async fn cornerstones_streaming_mode_has_its_content_length() {
    let house = packed().await;
    let answer = get(&house, &format!("{}/frames/1", place()), &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-length").parse::<usize>().unwrap(), answer.body.len());
    assert!(twelve_bits(&extracted(&answer.body).1) == samples(1, 1));
}

#[test]
fn any_sequence_of_ranges_puts_the_body_together() {
    // Proves it for all forms, cut anywhere and asked for in any order, over one archive.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(packed());
    let forms =
        [AS_CORNERSTONE_ASKS, "image/jphc", "application/octet-stream", "multipart/related; type=\"image/jp2\""];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
    let cuts = (0..forms.len(), proptest::collection::vec(0.0..1.0f64, 0..6), any::<bool>(), 1..3u32);
    let check = |(form, cuts, backwards, frames): (usize, Vec<f64>, bool, u32)| {
        let list = if frames == 2 && form % 3 == 0 { "2,1" } else { "1" };
        let (path, accept) = (format!("{}/frames/{list}", place()), forms[form]);
        runtime.block_on(async {
            let whole = get(&house, &path, &[("accept", accept)]).await;
            let total = whole.body.len();
            let mut places: Vec<usize> = cuts.iter().map(|cut| (cut * total as f64) as usize).collect();
            places.extend([0, total]);
            places.sort_unstable();
            places.dedup();
            let mut ranges: Vec<(usize, usize)> = places.windows(2).map(|pair| (pair[0], pair[1])).collect();
            if backwards {
                ranges.reverse();
            }
            let mut together = vec![0; total];
            for (start, end) in ranges {
                let range = format!("bytes={start}-{}", end - 1);
                let headers = [("accept", accept), ("range", &range), ("if-range", whole.header("etag"))];
                let part = get(&house, &path, &headers).await;
                assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
                together[start..end].copy_from_slice(&part.body);
            }
            assert!(together == whole.body, "{path} as {accept} cut at {places:?}");
        });
        Ok(())
    };
    runner.run(&cuts, check).unwrap();
}

#[tokio::test]
async fn a_frame_up_to_a_resolution_level_is_the_beginning_of_the_frame() {
    let house = House::empty().await;
    house.take_in(100, 1, 1).await;
    house.pack(100, &Coders::HTJ2K).await;
    let path = "/dicom-web/studies/1.2.392.100/series/1.2.392.100.1/instances/1.2.392.100.1.1/frames/1";
    let whole = get(&house, path, &[("accept", "image/jphc")]).await;
    let ends = transcode::codec::resolution_ends(&whole.body);
    assert!(ends.len() > 1, "{ends:?}");
    for (level, end) in ends.iter().enumerate() {
        let cut = get(&house, &format!("{path}?resolution={level}"), &[("accept", "image/jphc")]).await;
        assert_eq!(cut.status, StatusCode::OK);
        let expected = if level + 1 == ends.len() { whole.body.len() } else { *end as usize };
        assert!(cut.body == whole.body[..expected], "level {level}");
        assert_ne!(cut.header("etag"), whole.header("etag"), "level {level} is a representation of its own");
    }
    let parts = get(&house, &format!("{path}?resolution=0"), &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert!(extracted(&parts.body).1 == whole.body[..ends[0] as usize]);
    for (query, accept) in [
        ("resolution=99", "image/jphc"),
        ("resolution=-1", "image/jphc"),
        ("resolution=low", "image/jphc"),
        ("resolution=0", "application/octet-stream"),
    ] {
        let answer = get(&house, &format!("{path}?{query}"), &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query} {accept}");
        assert!(answer.json()["error"].as_str().unwrap().contains("resolution"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_held_native_has_no_resolution_levels() {
    let house = House::new().await;
    let answer = get(&house, &format!("{}/frames/1?resolution=0", place()), &[("accept", "*/*")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = get(&house, &format!("{}/frames/1?resolution=0", place()), &[("accept", "image/jphc")]).await;
    assert_eq!(answer.status, StatusCode::OK, "what is coded for the request has them");
}

#[tokio::test]
async fn other_transfer_syntaxes_are_made_on_request() {
    let house = House::new().await;
    let check = async |uid: &str, kind: &str| {
        let accept = format!("multipart/related; type=\"{kind}\"; transfer-syntax={uid}");
        let answer = get(&house, &format!("{}/frames/2", place()), &[("accept", &accept)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{uid}: {answer:?}");
        let (said, codestream) = extracted(&answer.body);
        assert_eq!(said, format!("{kind};transfer-syntax={uid}"));
        assert!(twelve_bits(&codestream) == samples(1, 2), "{uid}");
    };
    for packed in [false, true] {
        if packed {
            house.pack(1, &Coders::PART_1).await;
        }
        for last in [201, 202, 203] {
            check(&format!("1.2.840.10008.1.2.4.{last}"), "image/jphc").await;
        }
        for last in [90, 91] {
            check(&format!("1.2.840.10008.1.2.4.{last}"), "image/jp2").await;
        }
        let native = get(&house, &format!("{}/frames/2", place()), &[("accept", "application/octet-stream")]).await;
        assert!(native.body == samples(1, 2));
        assert_eq!(native.header("content-type"), "application/octet-stream;transfer-syntax=1.2.840.10008.1.2.1");
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_406_and_says_what_can() {
    let house = packed().await;
    for accept in ["image/jpeg", "multipart/related; type=\"image/jls\"", "video/mp4", "image/jphc;q=0"] {
        let answer = get(&house, &format!("{}/frames/1", place()), &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
        let sentence = answer.json()["error"].as_str().unwrap().to_owned();
        for offered in [HTJ2K, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"] {
            assert!(sentence.contains(offered), "{sentence}");
        }
    }
}

#[tokio::test]
async fn frames_that_are_not_there_are_named() {
    let house = packed().await;
    let check = async |list: &str, expected| {
        let answer = get(&house, &format!("{}/frames/{list}", place()), &[("accept", "*/*")]).await;
        assert_eq!(answer.status, expected, "{list}");
        assert!(answer.json()["next_step"].is_string());
    };
    check("0", StatusCode::BAD_REQUEST).await;
    check("1,0", StatusCode::BAD_REQUEST).await;
    check("one", StatusCode::BAD_REQUEST).await;
    check("3", StatusCode::NOT_FOUND).await;
    check("1,3", StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn an_address_with_a_digest_is_good_for_ever_and_of_one_representation() {
    let house = packed().await;
    let manifest = house.get(&format!("/dicom-web/studies/{STUDY}/manifest"), &house.reader, "*/*").await.json();
    let digest = manifest["series"][0]["instances"]["representation"]["each"][0].as_str().unwrap().to_owned();
    let path = format!("{}/frames/1?rep={digest}", place());
    let answer = get(&house, &path, &[("accept", "*/*")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "private, max-age=31536000, immutable");
    assert_eq!(
        answer.header("content-type"),
        format!("image/jphc;transfer-syntax={HTJ2K}"),
        "one part to a plain fetch"
    );
    assert!(twelve_bits(&answer.body) == samples(1, 1));
    let part = get(&house, &path, &[("accept", "*/*"), ("range", "bytes=0-9")]).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.body == answer.body[..10]);
    let decoded = get(&house, &path, &[("accept", "application/octet-stream")]).await;
    assert_eq!(decoded.status, StatusCode::NOT_ACCEPTABLE, "the address names what is held");
    let bad = get(&house, &format!("{}/frames/1?rep=latest", place()), &[]).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let anonymous = Request::get(&path).body(String::new()).unwrap();
    assert_eq!(house.send(anonymous).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.log.of("accessed").iter().filter(|event| event["rendition"] == "view").count(), 1);
}

#[tokio::test]
async fn an_address_of_what_was_made_anew_says_to_fetch_the_manifest_again() {
    let house = House::new().await;
    let digest_of = async || {
        let manifest = house.get(&format!("/dicom-web/studies/{STUDY}/manifest"), &house.reader, "*/*").await.json();
        manifest["series"][0]["instances"]["representation"]["each"][0].as_str().unwrap().to_owned()
    };
    let before = digest_of().await;
    let path = format!("{}/frames/1?rep={before}", place());
    assert_eq!(get(&house, &path, &[]).await.status, StatusCode::OK);
    house.pack(1, &Coders::HTJ2K).await;
    let gone = get(&house, &path, &[]).await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.json()["next_step"].as_str().unwrap().contains("manifest"), "{gone:?}");
    assert_eq!(gone.header("cache-control"), "no-store");
    let after = digest_of().await;
    assert_ne!(before, after);
    assert_eq!(get(&house, &format!("{}/frames/1?rep={after}", place()), &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_moves_to_a_pack_is_served_from_there_at_once() {
    let house = House::new().await;
    let path = format!("{}/frames/1", place());
    let before = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert!(extracted(&before.body).1 == samples(1, 1));
    house.pack(1, &Coders::HTJ2K).await;
    let after = get(&house, &path, &[("accept", AS_CORNERSTONE_ASKS)]).await;
    assert_eq!(extracted(&after.body).0, format!("image/jphc;transfer-syntax={HTJ2K}"));
    assert_ne!(before.header("etag"), after.header("etag"));
    let headers = [("accept", AS_CORNERSTONE_ASKS), ("range", "bytes=0-9"), ("if-range", before.header("etag"))];
    assert_eq!(get(&house, &path, &headers).await.status, StatusCode::OK, "not a range of another body");
}

/// What is kept of where instances are is never older than the index, also in a process beside the one that writes.
#[tokio::test]
async fn a_reader_in_another_process_sees_the_move_too() {
    let house = House::new().await;
    let other = archive::Reader::open(house.state.reader().layout().dir()).unwrap();
    let syntax = async || {
        let located = other.locate(STUDY, SERIES, INSTANCE).await.unwrap().unwrap();
        let first = located.frames.frames[0].clone();
        let bytes = other.read_bytes(&located.bytes, first.offset..first.offset + first.length).await.unwrap();
        (located.transfer_syntax_uid.clone(), bytes)
    };
    for _ in 0..2 {
        assert!(syntax().await == (super::fixture::EXPLICIT.to_owned(), samples(1, 1).into()));
    }
    house.pack(1, &Coders::HTJ2K).await;
    for _ in 0..2 {
        let (uid, bytes) = syntax().await;
        assert_eq!(uid, HTJ2K);
        assert!(twelve_bits(&bytes) == samples(1, 1));
    }
    assert!(other.locate(STUDY, "9.9", INSTANCE).await.unwrap().is_none());
    assert!(other.locate(STUDY, SERIES, "9.9").await.unwrap().is_none());
    house.take_in(1, 1, 3).await;
    let new = other.locate(STUDY, SERIES, &format!("{SERIES}.3")).await.unwrap();
    assert_eq!(new.unwrap().frames.frames.len(), 2, "what comes in is found at once");
}

/// Cornerstone's range mode sends no Authorization header: a same-origin cookie stands for it.
#[tokio::test]
async fn a_session_cookie_is_as_good_as_a_token_for_frames_and_ranges() {
    let house = packed().await;
    let signed_in = Request::post("/session").header("content-type", "application/json");
    let body = serde_json::json!({ "token": house.reader }).to_string();
    let signed_in = house.send(signed_in.header("sec-fetch-site", "same-origin").body(body).unwrap()).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let ask = async |path: &str, range: &str| {
        let request = Request::get(path).header("cookie", &cookie).header("accept", "*/*");
        house.send(request.header("range", range).body(String::new()).unwrap()).await.status
    };
    assert_eq!(ask(&format!("{}/frames/1", place()), "bytes=0-99").await, StatusCode::PARTIAL_CONTENT);
    assert_eq!(ask(&format!("/dicom-web/studies/{STUDY}/manifest"), "bytes=0-99").await, StatusCode::OK);
    let without = Request::get(format!("{}/frames/1", place())).header("range", "bytes=0-99");
    assert_eq!(house.send(without.body(String::new()).unwrap()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_sent_of_frames_is_what_the_act_counts() {
    let house = packed().await;
    let path = format!("{}/frames/1", place());
    let whole = get(&house, &path, &[("accept", "image/jphc")]).await.body.len() as u64;
    get(&house, &path, &[("accept", "image/jphc"), ("range", "bytes=0-9")]).await;
    get(&house, &path, &[("accept", "image/jphc"), ("range", "bytes=10-29")]).await;
    get(&house, &path, &[("accept", "image/jphc"), ("range", "bytes=99999-")]).await;
    let both = get(&house, &format!("{}/frames/1,2", place()), &[("accept", AS_CORNERSTONE_ASKS)]).await;
    let one = extracted(&both.body).1.len() as u64;
    house.state.close().await.unwrap();
    let closed = house.log.of("closed");
    assert_eq!(closed.len(), 1);
    let frames = closed[0]["frames"].as_u64().unwrap();
    assert_eq!(frames, 1 + 1 + 2, "a frame counts where its first byte is sent");
    let bytes = closed[0]["bytes"].as_u64().unwrap();
    assert!(bytes >= whole + 10 + 20 + one && bytes < whole + 30 + both.body.len() as u64, "{bytes}");
}
