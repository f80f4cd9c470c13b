/// Measures what Leasehold does, alone and beside what users would pick instead; never shipped.
@NullMarked
package io.leasehold.benchmarks;

import org.jspecify.annotations.NullMarked;
