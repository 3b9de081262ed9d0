//! What is said of every service. The match is exhaustive: a service without a description does not compile.

use serde_json::json;

use super::told::{INFO, Told, dates, number, object, pattern, text, uid, word};
use super::{ERROR, PRINCIPAL, reading};
use crate::access::Service;

/// Refusals of everything that needs a permission.
const GUARDED: &[u16] = &[400, 401, 403, 500, 503];
const JPEG_OR_PNG: &[&str] = &["image/jpeg", "image/png"];
const PURPOSES: &[&str] = &["screening", "treatment", "research", "operations"];
const SEARCH: &str = "Search (QIDO-RS)";
const RETRIEVE: &str = "Retrieve (WADO-RS)";
const IMAGES: &str = "Images (IIIF)";
const PAGE: &str = "Page";
const CHANGES: &str = "Changes";

/// The operations of a service.
pub(super) fn operations(service: Service) -> Vec<Told> {
    match service {
        Service::SearchStudies => vec![search("SearchStudies", "Search for studies.", Depth::Study)],
        Service::SearchSeries => vec![search("SearchSeries", "Search for series of all studies.", Depth::Series)],
        Service::SearchInstances => {
            vec![search("SearchInstances", "Search for instances of all studies.", Depth::Instance)]
        }
        Service::SearchSeriesOfStudy => {
            vec![search("SearchSeriesOfStudy", "Search for the series of a study.", Depth::Series)]
        }
        Service::SearchInstancesOfStudy => {
            vec![search("SearchInstancesOfStudy", "Search for the instances of a study.", Depth::Instance)]
        }
        Service::SearchInstancesOfSeries => {
            vec![search("SearchInstancesOfSeries", "Search for the instances of a series.", Depth::Instance)]
        }
        Service::RetrieveStudy => vec![retrieve("RetrieveStudy", "Retrieve a study (PS3.18 §10.4.1.1.1).")],
        Service::RetrieveSeries => vec![retrieve("RetrieveSeries", "Retrieve a series.")],
        Service::RetrieveInstance => vec![retrieve("RetrieveInstance", "Retrieve an instance.").tagged()],
        Service::RetrieveOriginal => vec![
            viewed(Told::get("RetrieveOriginal", RETRIEVE, "The file byte for byte as it was received."))
                .answers(200, "The file.", &["application/dicom", "application/x-mfer"])
                .refuses(ERROR, &[404])
                .tagged(),
        ],
        Service::MetadataOfStudy => vec![metadata("MetadataOfStudy", "Metadata of a study (PS3.18 §10.4.1.1.2).")],
        Service::MetadataOfSeries => vec![metadata("MetadataOfSeries", "Metadata of a series.")],
        Service::MetadataOfInstance => vec![metadata("MetadataOfInstance", "Metadata of an instance.")],
        Service::RetrieveFrames => vec![frames()],
        Service::RetrieveBulkdata => vec![
            viewed(Told::get(
                "RetrieveBulkdata",
                RETRIEVE,
                "A value that is not in the metadata; the path has slashes.",
            ))
            .answers(200, "The value.", &["application/octet-stream", "multipart/related"])
            .refuses(ERROR, &[404, 406])
            .tagged(),
        ],
        Service::RenderedInstance => {
            vec![rendered("RenderedInstance", "The first frame of an instance, drawn (PS3.18 §10.4.1.1.3).")]
        }
        Service::RenderedFrame => vec![rendered("RenderedFrame", "A frame, drawn.")],
        Service::ThumbnailOfStudy => vec![thumbnail("ThumbnailOfStudy", "A small picture of a study.")],
        Service::ThumbnailOfSeries => vec![thumbnail("ThumbnailOfSeries", "A small picture of a series.")],
        Service::ThumbnailOfInstance => vec![thumbnail("ThumbnailOfInstance", "A small picture of an instance.")],
        Service::ThumbnailOfFrame => vec![thumbnail("ThumbnailOfFrame", "A small picture of a frame.")],
        Service::BulkdataOfStudy => vec![bulkdata("BulkdataOfStudy", "All bulk data of a study (PS3.18 §10.4.1.1.5).")],
        Service::BulkdataOfSeries => vec![bulkdata("BulkdataOfSeries", "All bulk data of a series.")],
        Service::BulkdataOfInstance => vec![bulkdata("BulkdataOfInstance", "All bulk data of an instance.")],
        Service::RenderedStudy => vec![rendered_all("RenderedStudy", "The pictures of a study, drawn.")],
        Service::RenderedSeries => vec![rendered_all("RenderedSeries", "The pictures of a series, drawn.")],
        Service::StudyManifest => vec![
            viewed(Told::get("StudyManifest", RETRIEVE, "All a viewer needs to begin with a study: docs/manifest.md."))
                .query(
                    "viewport",
                    "Columns and rows at the most of a picture of what hangs first.",
                    pattern("^[1-9][0-9]{0,3},[1-9][0-9]{0,3}$"),
                )
                .answers(200, "The manifest.", &["application/json"])
                .refuses(ERROR, &[400, 404, 406])
                .tagged(),
        ],
        Service::Worklists
        | Service::Claim
        | Service::Release
        | Service::Verdicts
        | Service::Undo
        | Service::Codes
        | Service::Exports
        | Service::ResultsCsv
        | Service::ResultsFhir
        | Service::ReportOfVerdict => reading::operations(service),
        Service::WadoUri => vec![wado_uri()],
        Service::Capabilities => vec![
            Told::get("Capabilities", RETRIEVE, "What is served (PS3.18 §8.9).")
                .answers(
                    200,
                    "The capabilities.",
                    &["application/vnd.sun.wadl+xml", "application/xml", "text/xml", "application/json"],
                )
                .refuses(ERROR, &[401, 403, 406, 503]),
        ],
        Service::Changes => vec![
            viewed(Told::get("Changes", CHANGES, "What the archive did, in order: docs/changes.md."))
                .query("since", "The last change that is known; what came after it is answered.", number(0, i32::MAX))
                .query("limit", "Changes at the most.", number(1, 1000))
                .query("wait", "Seconds to wait for a change where there is none yet.", number(0, 30))
                .answers(200, "A page of changes, or a stream of them.", &["application/json", "text/event-stream"])
                .refuses(ERROR, &[406]),
        ],
        Service::ListStudies => vec![list_studies()],
        Service::IiifBase => vec![
            viewed(Told::get("IiifBase", IMAGES, "The way to what an image is (IIIF Image API 3.0 §2)."))
                .answers(303, "Look at info.json.", &[])
                .refuses(ERROR, &[404]),
        ],
        Service::IiifInfo => vec![
            viewed(Told::get("IiifInfo", IMAGES, "What an image is and how it is served (IIIF Image API 3.0 §5)."))
                .answers_with(200, "The description.", "application/ld+json", INFO)
                .answers_with(200, "The description.", "application/json", INFO)
                .refuses(ERROR, &[404, 406])
                .tagged(),
        ],
        Service::IiifImage => vec![iiif_image()],
        Service::Session => session(),
        Service::SignIn => vec![
            Told::get("SignIn", PAGE, "Exchange the code of a one-time link for a session cookie.")
                .required("code", "The code.", text(128))
                .query("study", "Study Instance UID of the study to be opened.", text(64))
                .answers(303, "Signed in; look at the page.", &[])
                .refuses(ERROR, &[400, 401, 503]),
        ],
        Service::Page => {
            vec![Told::get("Page", PAGE, "The viewer.").answers(200, "The page.", &["text/html"]).tagged()]
        }
        Service::PageOfStudy => vec![
            Told::get("PageOfStudy", PAGE, "The viewer, with a study opened.")
                .answers(200, "The page.", &["text/html"])
                .refuses(ERROR, &[404])
                .tagged(),
        ],
        Service::Asset => vec![
            Told::get("Asset", PAGE, "What the viewer loads; the path has slashes.")
                .answers(200, "The file.", &["text/javascript", "text/css", "image/svg+xml", "application/wasm"])
                .refuses(ERROR, &[400, 404])
                .tagged(),
        ],
        Service::Description => vec![
            Told::get("Description", PAGE, "This description (OpenAPI 3.1).")
                .answers(200, "The description.", &["application/json"])
                .tagged(),
        ],
    }
}

/// What every view and retrieval has.
fn viewed(told: Told) -> Told {
    told.header("Purpose-Of-Use", "What for, for the audit.", word(PURPOSES)).refuses(ERROR, GUARDED)
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Depth {
    Study,
    Series,
    Instance,
}

fn search(name: &'static str, summary: &'static str, depth: Depth) -> Told {
    let told = viewed(Told::get(name, SEARCH, summary));
    let mut told = told
        .query("limit", "Results at the most.", number(1, 1000))
        .query("offset", "Results passed over.", number(0, 1_000_000))
        .query("includefield", "Further attributes: keyword, tag or `all`.", word(&["all"]))
        .query("fuzzymatching", "Match names as they sound.", word(&["true", "false"]))
        .query("PatientID", "Patient ID, with wildcards.", text(64))
        .query("PatientName", "Patient's Name in any of its scripts, with wildcards.", text(64))
        .query("StudyDate", "A date or a range.", dates())
        .query("AccessionNumber", "Accession Number, with wildcards.", text(64))
        .query("StudyInstanceUID", "Study Instance UID.", uid())
        .query("ModalitiesInStudy", "Modalities of a study.", pattern("^[A-Z]{2,16}$"));
    if depth >= Depth::Series {
        told = told
            .query("SeriesInstanceUID", "Series Instance UID.", uid())
            .query("Modality", "Modality.", pattern("^[A-Z]{2,16}$"))
            .query("SeriesNumber", "Series Number.", number(0, 100_000));
    }
    if depth == Depth::Instance {
        told = told
            .query("SOPInstanceUID", "SOP Instance UID.", uid())
            .query("SOPClassUID", "SOP Class UID.", uid())
            .query("InstanceNumber", "Instance Number.", number(0, 100_000));
    }
    told.answers(200, "What matches.", &["application/dicom+json", "multipart/related"])
        .answers(204, "Nothing matches.", &[])
        .refuses(ERROR, &[406])
}

/// What `POST /search` takes and answers (`crate::list`).
fn list_studies() -> Told {
    let days = object(json!({ "from": pattern(DATE), "to": pattern(DATE) }), &[]);
    let alternative = object(
        json!({
            "name": text(64), "patient_id": text(64), "accession_number": text(64), "centre": text(64),
            "modality": pattern("^[A-Z]{2,16}$"), "birth_date": days, "study_date": days,
        }),
        &[],
    );
    let alternatives = json!({ "type": "array", "maxItems": 8, "items": alternative });
    let asked = object(
        json!({
            "terms": { "type": "array", "maxItems": 16, "items": alternatives }, "taken_in_after": number(0, i32::MAX),
            "sort": word(crate::list::SORTS), "descending": { "type": "boolean" }, "limit": number(0, 500),
            "offset": number(0, i32::MAX),
        }),
        &[],
    );
    viewed(Told::new(
        "post",
        "ListStudies",
        SEARCH,
        "Search for studies as a person does: no text of it is in an address.",
    ))
    .body("application/json", asked)
    .answers(200, "A page of the list, and how long the list is.", &["application/json"])
    .refuses(ERROR, &[413])
}

/// A date (PS3.5 §6.2 DA).
const DATE: &str = "^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])$";

fn retrieve(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .answers(200, "Part 10 files.", &["multipart/related", "application/dicom"])
        .refuses(ERROR, &[404, 406])
}

fn metadata(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .answers(200, "The metadata.", &["application/dicom+json", "multipart/related"])
        .refuses(ERROR, &[404, 406])
        .tagged()
}

fn bulkdata(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .answers(200, "The values.", &["multipart/related"])
        .refuses(ERROR, &[404, 406])
}

fn wado_uri() -> Told {
    let part = "A part of the picture: left, top, right and bottom from 0 to 1.";
    viewed(Told::get("WadoUri", RETRIEVE, "An instance named in the query (PS3.18 §9)."))
        .required("requestType", "WADO.", word(&["WADO"]))
        .required("studyUID", "Study Instance UID.", uid())
        .required("seriesUID", "Series Instance UID.", uid())
        .required("objectUID", "SOP Instance UID.", uid())
        .query("contentType", "Media types, the best first.", word(&["image/jpeg", "image/png", "application/dicom"]))
        .query("frameNumber", "Which frame, from 1.", number(1, 100_000))
        .query("rows", "Rows at the most.", number(1, 65_535))
        .query("columns", "Columns at the most.", number(1, 65_535))
        .query("region", part, pattern("^[01](\\.[0-9]{1,4})?(,[01](\\.[0-9]{1,4})?){3}$"))
        .query("windowCenter", "With windowWidth.", number(-32_768, 65_535))
        .query("windowWidth", "With windowCenter.", number(1, 65_535))
        .query("imageQuality", "Of a JPEG.", number(1, 100))
        .query("transferSyntax", "Of application/dicom.", uid())
        .answers(200, "The picture or the file.", WADO_URI)
        .refuses(ERROR, &[404, 406])
}

const WADO_URI: &[&str] =
    &["image/jpeg", "image/png", "image/gif", "application/dicom", "text/html", "application/pdf", "multipart/related"];

fn rendered_all(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .query("window", "Center and width, and a function.", pattern(WINDOW))
        .query("viewport", "Columns and rows at the most.", pattern("^[1-9][0-9]{0,3},[1-9][0-9]{0,3}$"))
        .query("quality", "Of a JPEG.", number(1, 100))
        .answers(200, "The pictures.", &["multipart/related"])
        .refuses(ERROR, &[404, 406])
}

fn frames() -> Told {
    viewed(Told::get("RetrieveFrames", RETRIEVE, "Frames as held, or decoded (PS3.18 §10.4.1.1.6)."))
        .header("Range", "A range of bytes.", pattern("^bytes=[0-9]{1,9}-[0-9]{0,9}$"))
        .answers(200, "Frames in parts, or one.", FRAMES)
        .answers(206, "A range of that.", FRAMES)
        .answers(416, "No byte of the range is there. Without a body: loaders of ranges append what comes.", &[])
        .refuses(ERROR, &[404, 406])
        .tagged()
}

const FRAMES: &[&str] = &[
    "multipart/related",
    "application/octet-stream",
    "image/jphc",
    "image/jpeg",
    "image/jls",
    "image/jp2",
    "image/jpx",
    "image/jxl",
    "image/dicom-rle",
    "video/mpeg2",
    "video/mp4",
];

fn rendered(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .query("accept", "Media type, for who cannot set the header.", word(JPEG_OR_PNG))
        .query("window", "Center and width, and a function.", pattern(WINDOW))
        .query("viewport", "Columns and rows at the most.", pattern("^[1-9][0-9]{0,3},[1-9][0-9]{0,3}$"))
        .query("quality", "Of a JPEG.", number(1, 100))
        .answers(200, "The picture.", JPEG_OR_PNG)
        .refuses(ERROR, &[404, 406])
        .tagged()
}

const WINDOW: &str = "^-?[0-9]{1,5},[1-9][0-9]{0,4}(,(linear|linear-exact|sigmoid))?$";

fn thumbnail(name: &'static str, summary: &'static str) -> Told {
    viewed(Told::get(name, RETRIEVE, summary))
        .query("accept", "Media type, for who cannot set the header.", word(JPEG_OR_PNG))
        .answers(200, "The picture.", JPEG_OR_PNG)
        .refuses(ERROR, &[404, 406])
        .tagged()
}

fn iiif_image() -> Told {
    viewed(Told::get("IiifImage", IMAGES, "A region of an image in a size (IIIF Image API 3.0 §4)."))
        .query("window", "Center and width, and a function; our own addition.", pattern(WINDOW))
        .query("opticalpath", "Of a slide, from 1; our own addition.", number(1, 256))
        .query("focalplane", "Of a slide, from 1; our own addition.", number(1, 256))
        .answers(200, "The picture.", JPEG_OR_PNG)
        .refuses(ERROR, &[404, 406, 501])
        .tagged()
}

fn session() -> Vec<Told> {
    let token = object(json!({ "token": text(256) }), &["token"]);
    vec![
        Told::get("SessionOf", PAGE, "Who is signed in.")
            .answers_with(200, "The holder of the session.", "application/json", PRINCIPAL)
            .refuses(ERROR, &[401, 503]),
        Told::new("post", "SessionStart", PAGE, "Exchange a token for a session cookie.")
            .body("application/json", token)
            .answers(204, "Signed in; the cookie is set.", &[])
            .refuses(ERROR, &[400, 401, 403, 503]),
        Told::new("delete", "SessionEnd", PAGE, "Sign out.")
            .answers(204, "Signed out.", &[])
            .refuses(ERROR, &[401, 403, 503]),
    ]
}
