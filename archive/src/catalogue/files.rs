//! Parquet files: how rows are encoded, and read back.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::{Column, Get};

/// Rows of a row group at most: what DuckDB writes itself, and one unit of its parallel scan.
const ROW_GROUP_ROWS_MAX: usize = 122_880;
/// zstd level: 3 is its default; higher costs the packer's cores more than it saves of a few bytes a row.
const ZSTD_LEVEL: i32 = 3;

/// The encodings of a table: integers, dates and times as deltas, what hardly repeats without a dictionary, the rest
/// with one; zstd over all.
pub(super) fn properties<R>(columns: &[Column<R>]) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_created_by(concat!("tsunagu-archive version ", env!("CARGO_PKG_VERSION")).into());
    for column in columns {
        let encoding = match column.get {
            Get::Date(_) | Get::Instant(_) | Get::Integer(_) | Get::Long(_) => Encoding::DELTA_BINARY_PACKED,
            Get::Unique(_) => Encoding::DELTA_BYTE_ARRAY,
            Get::Digest(_) => Encoding::PLAIN,
            Get::Text(_) | Get::NameGroup(..) | Get::Flag(_) | Get::Texts(_) => continue,
        };
        let path = ColumnPath::from(column.name);
        builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding);
    }
    Ok(builder.build())
}

/// Rows as one Parquet file.
pub(super) fn write(rows: &RecordBatch, properties: &WriterProperties) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties.clone()))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}

/// The rows of a Parquet file; of all columns, or of one.
pub(super) fn read(bytes: Bytes, column: Option<&str>) -> Result<Vec<RecordBatch>> {
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    if let Some(column) = column {
        let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
        builder = builder.with_projection(mask);
    }
    builder.build()?.collect::<Result<_, _>>().map_err(ParquetError::from)
}
