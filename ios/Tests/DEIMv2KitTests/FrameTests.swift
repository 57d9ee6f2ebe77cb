import XCTest

@testable import DEIMv2Kit

/// tests/vectors/frames.json: deimv2.model.images.resize(upright(photo, rotation), size), within one level.
final class FrameTests: XCTestCase {
  struct Photo: Decodable {
    let name, file, expected: String
    let width, height, rotation: Int
    let size: [Int]
  }

  struct Camera: Decodable {
    let name, file, rgb, expected: String
    let width, height, rotation: Int
    let size: [Int]
    let y, u, v: Frame.Plane
  }

  struct Index: Decodable {
    let photos: [Photo]
    let cameras: [Camera]
  }

  func testPhotosBecomeTheInputThatPythonMakes() throws {
    let photos = try (Vectors.read("frames.json") as Index).photos
    XCTAssertGreaterThan(photos.count, 10)
    for photo in photos {
      let frame = try Frame(
        width: photo.width, height: photo.height, bytes: Vectors.bytes(photo.file))
      let input = try frame.input(photo.size, photo.rotation)
      XCTAssertLessThanOrEqual(try difference(input.bytes, photo.expected), 1, photo.name)
    }
  }

  func testCameraFramesBecomeTheInputThatPythonMakes() throws {
    let cameras = try (Vectors.read("frames.json") as Index).cameras
    XCTAssertGreaterThan(cameras.count, 10)
    for camera in cameras {
      let frame = try Frame(
        yuv: Vectors.bytes(camera.file), y: camera.y, u: camera.u, v: camera.v,
        width: camera.width, height: camera.height)
      XCTAssertLessThanOrEqual(try difference(frame.bytes, camera.rgb), 1, camera.name)
      let input = try frame.input(camera.size, camera.rotation)
      XCTAssertLessThanOrEqual(try difference(input.bytes, camera.expected), 1, camera.name)
    }
  }

  func testFourByteRowsWithPaddingThereAndBack() throws {
    let frame = try Frame(width: 3, height: 2, bytes: Array(1...18))
    var rows = [UInt8](repeating: 7, count: 2 * 16)
    try rows.withUnsafeMutableBytes { try frame.copyBGRA(to: $0, rowStride: 16) }
    XCTAssertEqual(Array(rows[0..<4]), [3, 2, 1, 255])
    XCTAssertEqual(Array(rows[12..<16]), [7, 7, 7, 7], "the padding is not touched")
    try rows.withUnsafeBytes { pixels in
      let read = try Frame(pixels, .bgra, width: 3, height: 2, rowStride: 16)
      XCTAssertEqual(read, frame)
      let swapped = try Frame(pixels, .rgba, width: 3, height: 2, rowStride: 16)
      XCTAssertEqual(Array(swapped.bytes[0..<3]), [3, 2, 1])
    }
  }

  func testTooFewBytesAreRefused() throws {
    let plane = Frame.Plane(offset: 0, rowStride: 4, pixelStride: 1)
    XCTAssertThrowsError(try Frame(width: 2, height: 2, bytes: [1, 2, 3])) {
      XCTAssertEqual(
        "\($0)", "3 bytes for a frame of 2x2, expected rows that hold it; check the row stride")
    }
    XCTAssertThrowsError(
      try Frame(yuv: [1, 2, 3], y: plane, u: plane, v: plane, width: 4, height: 4))
    var small = [UInt8](repeating: 0, count: 15)
    let frame = try Frame(width: 2, height: 2, bytes: Array(1...12))
    XCTAssertThrowsError(
      try small.withUnsafeMutableBytes { try frame.copyBGRA(to: $0, rowStride: 8) })
    XCTAssertThrowsError(
      try small.withUnsafeBytes { try Frame($0, .rgba, width: 2, height: 2, rowStride: 8) })
  }

  private func difference(_ bytes: [UInt8], _ file: String) throws -> Int {
    let expected = try Vectors.bytes(file)
    XCTAssertEqual(bytes.count, expected.count)
    return zip(bytes, expected).map { abs(Int($0) - Int($1)) }.max() ?? 0
  }
}

extension Frame {
  /// size: height, width.
  fileprivate func input(_ size: [Int], _ degrees: Int) throws -> Frame {
    let rotation = try XCTUnwrap(Rotation(rawValue: degrees))
    return resized(width: size[1], height: size[0], rotation: rotation)
  }
}
