/// Leasehold's verbs under the API of DiSNI 2.1, `com.ibm.disni.verbs`: a program written for it runs without `libdisni.so`, and
/// hands its objects over for what DiSNI lacks, windows above all. See [io.leasehold.rdma.disni.Disni].
///
/// The only package that names DiSNI's types, and the only one that needs its jar.
package io.leasehold.rdma.disni;
