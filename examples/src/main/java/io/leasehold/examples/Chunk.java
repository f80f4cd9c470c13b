package io.leasehold.examples;

import io.leasehold.structures.Codec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Some successive lines of the files to count, about 8 KiB: one element of the queue.
///
/// Whoever splits the same files gets the same chunks, so that producers need not agree on more than who takes which numbers.
///
/// @param number the chunk's number, from 0 without gaps
/// @param lines how many lines it has
/// @param text the lines, each with its line feed
record Chunk(int number, int lines, String text) {
    /// How a chunk is stored in remote memory.
    static final Codec<Chunk> CODEC = Codec.of("wordcount.chunk/1",
            (chunk, out) -> out.putInt(chunk.number).putInt(chunk.lines).putString(chunk.text),
            in -> new Chunk(in.getInt(), in.getInt(), in.getString()));

    /// Most bytes of text; an element of a queue has room for more.
    static final int BYTES_MAX = 8 << 10;
    /// Longer lines are cut, at a space if there is one. With 3 bytes a character such a line still fits into a chunk.
    static final int LINE_CHARACTERS_MAX = 2_000;

    private static final Pattern WORD = Pattern.compile("\\p{L}+(?:['’]\\p{L}+)*");

    /// Reads and splits the files; bytes that are no UTF-8 become U+FFFD.
    static List<Chunk> split(List<Path> files) throws IOException {
        List<Chunk> chunks = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        int lines = 0;
        int bytes = 0;
        for (Path file : files) {
            String content = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            for (String line : content.lines().flatMap(line -> cut(line).stream()).toList()) {
                int lineBytes = line.getBytes(StandardCharsets.UTF_8).length + 1;
                if (bytes + lineBytes > BYTES_MAX) {
                    chunks.add(new Chunk(chunks.size(), lines, text.toString()));
                    text.setLength(0);
                    lines = 0;
                    bytes = 0;
                }
                text.append(line).append('\n');
                lines++;
                bytes += lineBytes;
            }
        }
        if (lines > 0) {
            chunks.add(new Chunk(chunks.size(), lines, text.toString()));
        }
        return chunks;
    }

    private static List<String> cut(String line) {
        if (line.length() <= LINE_CHARACTERS_MAX) {
            return List.of(line);
        }
        List<String> pieces = new ArrayList<>();
        int start = 0;
        while (line.length() - start > LINE_CHARACTERS_MAX) {
            int space = line.lastIndexOf(' ', start + LINE_CHARACTERS_MAX);
            int end = space > start ? space : line.offsetByCodePoints(start, LINE_CHARACTERS_MAX / 2);
            pieces.add(line.substring(start, end));
            start = end;
        }
        pieces.add(line.substring(start));
        return pieces;
    }

    /// Adds how often each word of this chunk occurs in it to `counts`; a word is letters and inner apostrophes, in lower case.
    void countWords(Map<String, Long> counts) {
        Matcher words = WORD.matcher(text.toLowerCase(Locale.ROOT));
        while (words.find()) {
            counts.merge(words.group(), 1L, Long::sum);
        }
    }
}
