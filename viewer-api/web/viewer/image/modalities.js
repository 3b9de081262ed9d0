// What the modality of a series says of how it is shown. The server says the same (src/manifest/first.rs; a test compares).

/** Volumes: their slices are alike. Where a file states no window, they share the one found first, or their brightness would flicker. */
export const VOLUMES = ["CT", "MR", "PT", "NM"];
/** What says something of images, and is neither a picture nor a document itself. */
export const ABOUT_IMAGES = ["PR", "KO", "SEG", "RWV", "REG"];
/** What is not hung, whether it has pixels or not. */
export const NOT_HUNG = [...ABOUT_IMAGES, "SR", "ECG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "AU", "HD"];
