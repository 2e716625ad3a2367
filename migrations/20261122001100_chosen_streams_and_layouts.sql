-- Archives whose streams are chosen by hand, and whose layout changes while they record.

-- When a stream that was chosen by hand was in the archive, JSON: [{"fromMs":0,"toMs":5000},…]; []: as long as it was there.
ALTER TABLE archive_streams ADD COLUMN present TEXT NOT NULL DEFAULT '[]';
-- Its layout classes, JSON: [{"atMs":0,"classes":["focus"]},…].
ALTER TABLE archive_streams ADD COLUMN classes TEXT NOT NULL DEFAULT '[]';
-- The layouts after the first, JSON: [{"atMs":5000,"layout":{"type":"pip"}},…].
ALTER TABLE archives ADD COLUMN layouts TEXT NOT NULL DEFAULT '[]';
-- OpenTok "maxBitrate" in bit/s and "quantizationParameter": one of them at most.
ALTER TABLE archives ADD COLUMN max_bitrate INTEGER;
ALTER TABLE archives ADD COLUMN quantization INTEGER;
