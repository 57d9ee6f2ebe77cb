#if !canImport(CryptoKit)
  import Foundation

  /// SHA-256 (FIPS 180-4) where the system has no CryptoKit, with the part of its interface used here.
  struct SHA256 {
    private var state = primes(8).map { fraction(of: Double($0).squareRoot()) }
    private var rest: [UInt8] = []
    private var count: UInt64 = 0
    private static let constants = primes(64).map { fraction(of: cbrt(Double($0))) }

    mutating func update(data: Data) {
      count += UInt64(data.count)
      rest += data
      let whole = rest.count / 64 * 64
      for start in stride(from: 0, to: whole, by: 64) { digest(rest[start..<start + 64]) }
      rest.removeFirst(whole)
    }

    /// The 32 bytes; more data may follow.
    func finalize() -> [UInt8] {
      var last = self
      let zeros = 63 - (rest.count + 8) % 64
      let bits = withUnsafeBytes(of: (count * 8).bigEndian) { Data($0) }
      last.update(data: [0x80] + Data(count: zeros) + bits)
      return last.state.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }

    private mutating func digest(_ block: ArraySlice<UInt8>) {
      var w = [UInt32](repeating: 0, count: 64)
      for (i, byte) in block.enumerated() { w[i / 4] = w[i / 4] << 8 | UInt32(byte) }
      for i in 16..<64 {
        let s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3
        let s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10
        w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
      }
      var v = state
      for i in 0..<64 {
        let s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)
        let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
        let t1 = v[7] &+ s1 &+ choice &+ Self.constants[i] &+ w[i]
        let s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
      }
      for i in 0..<8 { state[i] = state[i] &+ v[i] }
    }
  }

  private func turn(_ word: UInt32, _ bits: UInt32) -> UInt32 { word >> bits | word << (32 - bits) }

  /// The first 32 bits after the point.
  private func fraction(of root: Double) -> UInt32 {
    UInt32((root - root.rounded(.down)) * 4_294_967_296)
  }

  private func primes(_ count: Int) -> [Int] {
    var found: [Int] = []
    var next = 2
    while found.count < count {
      if found.allSatisfy({ next % $0 != 0 }) { found.append(next) }
      next += 1
    }
    return found
  }
#endif
