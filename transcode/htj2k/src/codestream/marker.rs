//! Marker codes (T.800 Table A.2, T.814 Table A.1, T.801 Table A.1).

/// Start of codestream.
pub const SOC: u16 = 0xFF4F;
/// Extended capabilities (T.814 A.3 makes it say HT).
pub const CAP: u16 = 0xFF50;
/// Image and tile size.
pub const SIZ: u16 = 0xFF51;
/// Coding style default.
pub const COD: u16 = 0xFF52;
/// Coding style of a component.
pub const COC: u16 = 0xFF53;
/// Tile-part lengths.
pub const TLM: u16 = 0xFF55;
/// Profile.
pub const PRF: u16 = 0xFF56;
/// Packet lengths, main header.
pub const PLM: u16 = 0xFF57;
/// Packet lengths, tile-part header.
pub const PLT: u16 = 0xFF58;
/// Corresponding profile (T.814 A.6).
pub const CPF: u16 = 0xFF59;
/// Quantization default.
pub const QCD: u16 = 0xFF5C;
/// Quantization of a component.
pub const QCC: u16 = 0xFF5D;
/// Region of interest.
pub const RGN: u16 = 0xFF5E;
/// Progression order change.
pub const POC: u16 = 0xFF5F;
/// Packed packet headers, main header.
pub const PPM: u16 = 0xFF60;
/// Packed packet headers, tile-part header.
pub const PPT: u16 = 0xFF61;
/// Component registration.
pub const CRG: u16 = 0xFF63;
/// Comment.
pub const COM: u16 = 0xFF64;
/// Start of tile-part.
pub const SOT: u16 = 0xFF90;
/// Start of packet.
pub const SOP: u16 = 0xFF91;
/// End of packet header.
pub const EPH: u16 = 0xFF92;
/// Start of data.
pub const SOD: u16 = 0xFF93;
/// End of codestream.
pub const EOC: u16 = 0xFFD9;

/// Whether `code` stands alone, without a length and parameters (T.800 A.1.1, Table A.1).
pub fn is_alone(code: u16) -> bool {
    matches!(code, SOC | EPH | SOD | EOC | 0xFF30..=0xFF3F)
}

/// The extensions of T.801 that change how samples are rebuilt, so that they cannot be passed over.
pub fn part_2_name(code: u16) -> Option<&'static str> {
    Some(match code {
        0xFF70 => "DCO (variable DC offset, T.801 A.3.1)",
        0xFF71 => "VMS (visual masking, T.801 A.3.2)",
        0xFF72 => "DFS (downsampling factor styles, T.801 A.3.3)",
        0xFF73 => "ADS (arbitrary decomposition styles, T.801 A.3.4)",
        0xFF74 => "MCT (multiple component transformation, T.801 A.3.7)",
        0xFF75 => "MCC (multiple component collections, T.801 A.3.8)",
        0xFF76 => "NLT (non-linearity point transformation, T.801 A.3.10)",
        0xFF77 => "MCO (multiple component transformation ordering, T.801 A.3.9)",
        0xFF78 => "CBD (component bit depth, T.801 A.3.6)",
        0xFF79 => "ATK (arbitrary transformation kernels, T.801 A.3.5)",
        _ => return None,
    })
}
