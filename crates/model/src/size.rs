//! Human-readable sizes.

/// Bytes per unit. Decimal units come first and are shown to people; binary ones (`KiB`) are
/// multiples of 1024.
pub const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Formats a size for people, rounded down.
pub fn write_size_roughly(value: u64) -> String {
    let (unit, each) =
        SIZES[..5].iter().rev().find(|(_, each)| value >= *each).unwrap_or(&SIZES[0]);
    let tenths = value / (each / 10).max(1);
    match (each, tenths % 10) {
        (1, _) => format!("{value}B"),
        (_, 0) => format!("{}{unit}", tenths / 10),
        (_, rest) => format!("{}.{rest}{unit}", tenths / 10),
    }
}

/// Formats a size for people, in decimal units.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::time::in_words;
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(34_500_000), "34.5 MB");
        assert_eq!(size(2_000_000_000), "2.0 GB");
        assert_eq!(in_words(Duration::from_millis(1500)), "2 s");
        assert_eq!(in_words(Duration::from_secs(600)), "10 min");
    }
}
