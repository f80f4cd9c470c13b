package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemcachedConfTest {
    @TempDir
    private Path directory;

    @Test
    void hostThenPort() throws IOException {
        assertThat(MemcachedConf.read(file("10.0.0.1\n11211\n"))).isEqualTo(new MemcachedConf("10.0.0.1", 11_211));
    }

    @Test
    void remarksAndBlankLinesAreForPeople() throws IOException {
        assertThat(MemcachedConf.read(file("# where we meet\n\n  ::1  \n\t# its port\n 7 \r\n\n#\n")))
                .isEqualTo(new MemcachedConf("::1", 7)).hasToString("[::1]:7");
    }

    @ParameterizedTest
    @CsvSource({
        "'',                          1, no host",
        "'# nothing\n',               2, no host",
        "'10.0.0.1\n',                2, no port",
        "'10.0.0.1 11211\n',          2, no port",
        "'10.0.0.1 x\n11211\n',       1, blank",
        "'10.0.0.1\n\neleven\n',      3, 'eleven'",
        "'10.0.0.1\n0\n',             2, from 1 to 65535",
        "'10.0.0.1\n65536\n',         2, from 1 to 65535",
        "'10.0.0.1\n11211\n# x\nx\n', 4, more than a host and a port"})
    void aMalformedFileIsNamedWithLineAndRemedy(String text, int line, String says) throws IOException {
        Path file = file(text);
        assertThatThrownBy(() -> MemcachedConf.read(file)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(file + ", line " + line + ":").hasMessageContaining(says);
    }

    @Test
    void aMissingFileIsNamed() {
        assertThatThrownBy(() -> MemcachedConf.read(directory.resolve("nowhere"))).isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("nowhere").hasMessageContaining("host");
    }

    private Path file(String text) throws IOException {
        return Files.writeString(directory.resolve("memcached.conf"), text);
    }
}
