//! A sort of a few hundred bytes. The standard library's is several kilobytes for every type it is used with, which
//! everyone would load with the WebAssembly module, and what is sorted here mostly is in order already.

/// Sorts by heap, if it has to. Equal keys come out in any order, the same on every machine.
pub(super) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    if items.is_sorted_by_key(&key) {
        return;
    }
    for root in (0..items.len() / 2).rev() {
        sift(items, root, &key);
    }
    for end in (1..items.len()).rev() {
        items.swap(0, end);
        sift(&mut items[..end], 0, &key);
    }
}

/// Lets the item at `root` sink below all larger ones.
fn sift<T, K: Ord>(items: &mut [T], mut root: usize, key: &impl Fn(&T) -> K) {
    loop {
        let child = 2 * root + 1;
        if child >= items.len() {
            return;
        }
        let is_second = child + 1 < items.len() && key(&items[child]) < key(&items[child + 1]);
        let larger = child + usize::from(is_second);
        if key(&items[larger]) <= key(&items[root]) {
            return;
        }
        items.swap(root, larger);
        root = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Proves that the order is that of the standard library's sort.
        #[test]
        fn keys_come_out_in_order(mut numbers in proptest::collection::vec(any::<u16>(), 0..200)) {
            let mut expected = numbers.clone();
            expected.sort();
            sort_by_key(&mut numbers, |number| *number);
            prop_assert_eq!(numbers, expected);
        }
    }
}
