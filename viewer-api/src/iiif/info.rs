//! What a picture is and in which ways it is served (IIIF Image API 3.0 §5).

use serde_json::{Value, json};

use super::picture::Picture;
use super::request::{AREA_MAX, EDGE_MAX};

/// The context of the document.
pub(crate) const CONTEXT: &str = "http://iiif.io/api/image/3/context.json";
/// Compliance level 2.
pub(crate) const LEVEL: &str = "http://iiif.io/api/image/3/level2.json";

/// The document of a picture under this URI.
pub(crate) fn document(picture: &Picture, uri: &str) -> Value {
    let (across, down) = picture.tile();
    let sizes = picture.sizes().into_iter().map(|(width, height)| json!({ "width": width, "height": height }));
    json!({
        "@context": CONTEXT,
        "id": uri,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": picture.width,
        "height": picture.height,
        "maxWidth": EDGE_MAX,
        "maxHeight": EDGE_MAX,
        "maxArea": AREA_MAX,
        "sizes": sizes.collect::<Vec<_>>(),
        "tiles": [{ "width": across, "height": down, "scaleFactors": picture.scale_factors() }],
        "preferredFormats": if picture.is_grey() { ["png", "jpg"] } else { ["jpg", "png"] },
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": ["canonicalLinkHeader", "mirroring", "profileLinkHeader", "sizeUpscaling"],
    })
}
