//! Tags of ISO 22077-1, and which of them a file may plausibly begin with.

pub(super) const ZRO: u8 = 0x00;
pub(super) const BLE: u8 = 0x01;
pub(super) const VER: u8 = 0x02;
pub(super) const TXC: u8 = 0x03;
pub(super) const BLK: u8 = 0x04;
pub(super) const CHN: u8 = 0x05;
pub(super) const SEQ: u8 = 0x06;
pub(super) const PNT: u8 = 0x07;
pub(super) const WFM: u8 = 0x08;
pub(super) const LDN: u8 = 0x09;
pub(super) const DTP: u8 = 0x0A;
pub(super) const IVL: u8 = 0x0B;
pub(super) const SEN: u8 = 0x0C;
pub(super) const OFF: u8 = 0x0D;
pub(super) const CMP: u8 = 0x0E;
pub(super) const IPD: u8 = 0x0F;
pub(super) const FLT: u8 = 0x11;
pub(super) const NUL: u8 = 0x12;
pub(super) const INF: u8 = 0x15;
pub(super) const NTE: u8 = 0x16;
pub(super) const MAN: u8 = 0x17;
pub(super) const WAV: u8 = 0x1E;
pub(super) const ATT: u8 = 0x3F;
pub(super) const PRE: u8 = 0x40;
pub(super) const EVT: u8 = 0x41;
pub(super) const VAL: u8 = 0x42;
pub(super) const SKW: u8 = 0x43;
pub(super) const SIG: u8 = 0x46;
pub(super) const SET: u8 = 0x67;
pub(super) const END: u8 = 0x80;
pub(super) const PNM: u8 = 0x81;
pub(super) const PID: u8 = 0x82;
pub(super) const AGE: u8 = 0x83;
pub(super) const SEX: u8 = 0x84;
pub(super) const TIM: u8 = 0x85;
pub(super) const MSS: u8 = 0x86;
pub(super) const MAP: u8 = 0x88;

/// Whether a reader knows it.
pub(super) fn is_known(tag: u8) -> bool {
    matches!(tag, ZRO..=IPD | FLT | NUL | INF..=MAN | WAV | ATT..=SIG | SET | END..=MAP)
}
