//! How large a file may be in every direction that its size in bytes does not show.

/// Limits on one file. The defaults are the documented ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Pages of a document.
    pub max_pages: u32,
    /// Pixels along one side of an image.
    pub max_side: u32,
    /// Pixels of an image in all.
    pub max_pixels: u64,
    /// Bytes of an image once decoded.
    pub max_decoded_bytes: u64,
    /// Pixels along the shorter side, below which no letter fits.
    pub min_side: u32,
    /// Pixels along the longer side of a page given to the engine; larger ones are scaled down.
    pub page_side: u32,
    /// Seconds of a recording.
    pub max_seconds: f64,
    /// Seconds of wall-clock time that one call of a foreign program may take.
    pub call_seconds: u64,
    /// Seconds of processor time that one call of a foreign program may take.
    pub cpu_seconds: u64,
    /// Bytes of address space that one foreign program may map.
    pub address_space: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pages: 500,
            max_side: 20_000,
            max_pixels: 200_000_000,
            max_decoded_bytes: 512 << 20,
            min_side: 8,
            page_side: 4_000,
            max_seconds: 4.0 * 3600.0,
            call_seconds: 90,
            cpu_seconds: 60,
            address_space: 2 << 30,
        }
    }
}
