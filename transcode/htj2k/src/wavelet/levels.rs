//! One body, compiled for every level of instructions.

/// Makes `name(level, …)` of a body that is `#[inline(always)]`: the same plain loop once for each level, so that the
/// vectoriser may use its instructions. A level above the machine's own is lowered to it, which keeps the call sound.
/// Floats give the same bits everywhere: rustc never contracts a product and a sum.
macro_rules! at_every_level {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident<$($T:ident: $bound:path),+ $(; $(const $C:ident: usize),+)?>(
            $($argument:ident: $type:ty),* $(,)?
        ) $(-> $answer:ty)? = $($body:ident)::+
    ) => {
        $(#[$attribute])*
        #[allow(unsafe_code, reason = "functions with target features are called where the machine has them")]
        $visibility fn $name<$($T: $bound),+ $($(, const $C: usize)+)?>(
            level: $crate::simd::Level,
            $($argument: $type),*
        ) $(-> $answer)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,fma")]
                fn avx2<$($T: $bound),+ $($(, const $C: usize)+)?>($($argument: $type),*) $(-> $answer)? {
                    $($body)::+::<$($T),+ $($(, $C)+)?>($($argument),*)
                }
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,fma")]
                #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
                fn avx512<$($T: $bound),+ $($(, const $C: usize)+)?>($($argument: $type),*) $(-> $answer)? {
                    $($body)::+::<$($T),+ $($(, $C)+)?>($($argument),*)
                }
                match $crate::wavelet::levels::runnable(level) {
                    // SAFETY: `runnable` answers no level that this machine lacks.
                    $crate::simd::Level::Avx512 => return unsafe { avx512::<$($T),+ $($(, $C)+)?>($($argument),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx2 => return unsafe { avx2::<$($T),+ $($(, $C)+)?>($($argument),*) },
                    _ => {}
                }
            }
            let _ = level;
            $($body)::+::<$($T),+ $($(, $C)+)?>($($argument),*)
        }
    };
}

pub(crate) use at_every_level;

/// `level`, or the best below it that this machine has.
pub(crate) fn runnable(level: crate::simd::Level) -> crate::simd::Level {
    level.runnable()
}

/// Calls the vector kernel of `level` if there is one, else does `otherwise`. WebAssembly has none: the same
/// kernels on `v128` were no faster in Node than what the vectoriser makes of the plain loops for `simd128`.
macro_rules! vector_or {
    ($level:expr, $number:ident::$kernel:ident($($argument:expr),*), $otherwise:expr) => {{
        #[allow(unsafe_code, reason = "a kernel is called once the machine is known to have its instructions")]
        match $crate::wavelet::levels::runnable($level) {
            // SAFETY: `runnable` answers no level that this machine lacks.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { $crate::wavelet::avx512::$number::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { $crate::wavelet::avx2::$number::$kernel($($argument),*) },
            _ => $otherwise,
        }
    }};
}

pub(crate) use vector_or;
