//! Rendered resources and thumbnails (PS3.18 §8.3.5, §8.7.4, §10.4.1.1.3). docs/conformance/wado-rs.md names each test.

use axum::http::StatusCode;
use transcode::codec::Coders;

use super::fixture::{House, SERIES, STUDY};
use super::wado::{parts, place};

fn size(png: &[u8]) -> (u32, u32) {
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (word(16), word(20))
}

#[tokio::test]
async fn a_picture_is_jpeg_by_default_and_png_or_gif_on_request() {
    // PS3.18 Table 8.7.4-1: image/jpeg is the default, image/gif and image/png are required.
    let house = House::new().await;
    let path = format!("{}/frames/1/rendered", place());
    for (accept, kind, magic) in [
        ("*/*", "image/jpeg", &b"\xFF\xD8\xFF"[..]),
        ("image/*", "image/jpeg", b"\xFF\xD8\xFF"),
        ("image/png", "image/png", b"\x89PNG"),
        ("image/gif", "image/gif", b"GIF89a"),
        ("image/jp2, image/png;q=0.5", "image/png", b"\x89PNG"),
    ] {
        let answer = house.get(&path, &house.reader, accept).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind), "{accept}");
        assert!(answer.body.starts_with(magic), "{accept}");
    }
    let refused = house.get(&path, &house.reader, "image/jp2").await;
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
    assert!(refused.json()["media_types"].to_string().contains("image/png"));
}

#[tokio::test]
async fn studies_series_and_several_frames_are_multiparts_of_pictures() {
    // PS3.18 §10.4.1.1.3, §10.4.4.
    let house = House::new().await;
    let series = format!("/dicom-web/studies/{STUDY}/series/{SERIES}");
    for (path, count) in [
        (format!("/dicom-web/studies/{STUDY}/rendered"), 8),
        (format!("{series}/rendered"), 4),
        (format!("{}/rendered", place()), 2),
        (format!("{}/frames/2,1/rendered", place()), 2),
    ] {
        let answer = house.get(&path, &house.reader, "multipart/related; type=\"image/png\"").await;
        assert!(
            answer.header("content-type").starts_with("multipart/related; type=\"image/png\"; boundary="),
            "{answer:?}"
        );
        let parts = parts(&answer);
        assert_eq!(parts.len(), count, "{path}");
        for (head, body) in parts {
            assert!(head.contains("Content-Type: image/png\r\n") && head.contains("/rendered\r\n"), "{head}");
            assert!(body.starts_with(b"\x89PNG"));
        }
    }
    let several = house.get(&format!("{}/frames/2,1/rendered", place()), &house.reader, "image/png").await;
    assert_eq!(several.status, StatusCode::NOT_ACCEPTABLE);
    let any = house.get(&format!("/dicom-web/studies/{STUDY}/rendered"), &house.reader, "*/*").await;
    assert!(any.header("content-type").starts_with("multipart/related; type=\"image/jpeg\""));
    let one = house.get(&format!("{}/rendered", place()), &house.reader, "*/*").await;
    assert_eq!(one.header("content-type"), "image/jpeg");
}

#[tokio::test]
async fn a_viewport_bounds_the_picture_and_a_region_is_cut_out_and_turned() {
    // PS3.18 §8.3.5.1.3.
    let house = House::new().await;
    let rendered = async |query: &str| {
        house.get(&format!("{}/frames/1/rendered?window=2048,4096&{query}", place()), &house.reader, "image/png").await
    };
    assert_eq!(size(&rendered("viewport=2,2").await.body), (2, 2));
    assert_eq!(size(&rendered("viewport=100,100,1,0,2,4").await.body), (50, 100));
    assert_eq!(size(&rendered("viewport=100,100,,,,").await.body), (100, 100));
    let whole = rendered("viewport=4,4").await.body;
    assert!(rendered("viewport=4,4,0,0,-4,4").await.body != whole, "turned left to right");
    assert!(rendered("viewport=4,4,0,0,4,4").await.body == whole);
    for bad in [
        "viewport=",
        "viewport=0,1",
        "viewport=1",
        "viewport=4,4,1",
        "viewport=4,4,0,0,5,4",
        "viewport=4,4,9,9,1,1",
        "viewport=a,b",
    ] {
        assert_eq!(rendered(bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn windows_and_qualities_are_applied_or_refused() {
    // PS3.18 §8.3.5.1.2, §8.3.5.1.4.
    let house = House::new().await;
    let rendered = async |query: &str| {
        house.get(&format!("{}/frames/1/rendered?{query}", place()), &house.reader, "image/jpeg").await
    };
    assert!(rendered("window=100,50,linear").await.body != rendered("window=2048,4096,linear").await.body);
    assert!(rendered("quality=5").await.body != rendered("quality=95").await.body);
    for good in ["window=40,400,linear-exact", "window=40,400,sigmoid", "quality=1", "quality=100", "unknown=1"] {
        assert_eq!(rendered(good).await.status, StatusCode::OK, "{good}");
    }
    for bad in [
        "window=40",
        "window=a,b,linear",
        "window=40,400,cubic",
        "window=40,0,linear",
        "quality=0",
        "quality=101",
        "quality=x",
    ] {
        assert_eq!(rendered(bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn annotations_and_colour_profiles_are_named_as_not_supported() {
    // PS3.18 §8.3.5.1.1, §8.3.5.1.5, §8.3: the picture comes without them, and a Warning says so.
    let house = House::new().await;
    let rendered = async |query: &str| {
        house.get(&format!("{}/frames/1/rendered?{query}", place()), &house.reader, "image/jpeg").await
    };
    for (query, named) in [("annotation=patient,technique", "annotation"), ("iccprofile=adobergb", "iccprofile")] {
        let answer = rendered(query).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("warning").starts_with("299 ") && answer.header("warning").contains(named), "{query}");
    }
    assert_eq!(rendered("iccprofile=no").await.header("warning"), "");
    for bad in ["annotation=horoscope", "iccprofile=cmyk"] {
        assert_eq!(rendered(bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn thumbnails_of_all_levels_are_small_pictures() {
    // PS3.18 §10.4.1.1.4, §8.3.5.2.
    let house = House::new().await;
    for path in [
        "",
        "/series/1.2.392.1.1",
        "/series/1.2.392.1.1/instances/1.2.392.1.1.1",
        "/series/1.2.392.1.1/instances/1.2.392.1.1.1/frames/2",
    ] {
        let path = format!("/dicom-web/studies/{STUDY}{path}/thumbnail");
        assert_eq!(house.get(&path, &house.reader, "*/*").await.header("content-type"), "image/jpeg", "{path}");
        let small = house.get(&format!("{path}?viewport=2,2"), &house.reader, "image/png").await;
        assert_eq!(size(&small.body), (2, 2), "{path}");
        let region = house.get(&format!("{path}?viewport=2,2,0,0,1,1"), &house.reader, "image/png").await;
        assert_eq!(region.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_small_picture_is_made_of_a_low_resolution_level_and_shows_the_same() {
    let house = House::empty().await;
    house.take_in(100, 1, 1).await;
    let path = "/dicom-web/studies/1.2.392.100/series/1.2.392.100.1/instances/1.2.392.100.1.1/rendered";
    // Both with a window of their own: one that is found would be found in fewer samples.
    let grey = async |viewport: &str| {
        let path = format!("{path}?window=2048,4096&viewport={viewport}");
        let answer = house.get(&path, &house.reader, "image/png").await;
        let mut reader = png::Decoder::new(std::io::Cursor::new(answer.body.to_vec())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (size(&answer.body), pixels)
    };
    let (whole, of_samples) = (grey("160,160").await, grey("20,30").await);
    house.pack(100, &Coders::HTJ2K).await;
    assert_eq!(grey("160,160").await, whole);
    let ((width, height), of_level) = grey("20,30").await;
    assert_eq!(((width, height), of_samples.0), ((20, 20), (20, 20)));
    let far = of_level.iter().zip(&of_samples.1).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(far > 0, "all of it was read");
    let mean = |pixels: &[u8]| pixels.iter().map(|&pixel| u32::from(pixel)).sum::<u32>() / pixels.len() as u32;
    assert!(mean(&of_level).abs_diff(mean(&of_samples.1)) <= 4, "{} {}", mean(&of_level), mean(&of_samples.1));
}
