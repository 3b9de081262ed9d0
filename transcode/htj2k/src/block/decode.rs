//! HT block decoding: cleanup, significance propagation and magnitude refinement passes (T.814 7.3 to 7.5).
