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
