import AVFoundation
import DEIMv2Kit
import SwiftUI
import UniformTypeIdentifiers

/// A video's frames, upright, each decoded when it is asked for. Unchecked, because the reader is
/// touched on `queue` alone.
final class Video: @unchecked Sendable {
  /// `share` of the video, 0 to 1, ends with the shot; `time`: when it is shown.
  struct Moment: Sendable {
    let shot: Shot
    let time: CMTime
    let share: Double
  }

  private let queue = DispatchQueue(label: "video", autoreleaseFrequency: .workItem)
  private let reader: AVAssetReader
  private let output: AVAssetReaderVideoCompositionOutput
  private let preprocessor: CameraPreprocessor
  private let seconds: Double

  /// Throws image, and what AVFoundation says of a file that it cannot read.
  init(_ file: URL, for manifest: Manifest) async throws {
    let asset = AVURLAsset(url: file)
    let tracks = try await asset.loadTracks(withMediaType: .video)
    if tracks.isEmpty { throw DEIMv2Error.image(reason: "a video without pictures") }
    seconds = try await asset.load(.duration).seconds
    preprocessor = try CameraPreprocessor(manifest)
    reader = try AVAssetReader(asset: asset)
    output = AVAssetReaderVideoCompositionOutput(
      videoTracks: tracks,
      videoSettings: [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA])
    // It turns the frames as the tracks' transforms say.
    output.videoComposition = try await AVVideoComposition.videoComposition(
      withPropertiesOf: asset)
    output.alwaysCopiesSampleData = false
    guard reader.canAdd(output) else {
      throw DEIMv2Error.image(reason: "a video that is not decoded here")
    }
    reader.add(output)
    guard reader.startReading() else { throw failure() }
  }

  /// nil after the last one. Throws image, and what AVFoundation says of a damaged file.
  func next() async throws -> Moment? {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try self.read() }) }
    }
  }

  private func read() throws -> Moment? {
    guard let sample = output.copyNextSampleBuffer(), let buffer = sample.imageBuffer else {
      if reader.status == .failed { throw failure() }
      return nil
    }
    let time = sample.presentationTimeStamp
    let share = seconds > 0 ? time.seconds / seconds : 0
    return Moment(
      shot: try Shot(buffer, by: preprocessor), time: time, share: min(max(share, 0), 1))
  }

  private func failure() -> any Error {
    reader.error ?? DEIMv2Error.image(reason: "a video that is not decoded here")
  }
}

/// A video that the user chose, as a copy, which is to be deleted: the picker's own goes at once.
struct Movie: Transferable {
  let file: URL

  static var transferRepresentation: some TransferRepresentation {
    FileRepresentation(importedContentType: .movie) { received in
      let copy = FileManager.default.temporaryDirectory
        .appending(path: "\(UUID().uuidString)-\(received.file.lastPathComponent)")
      try FileManager.default.copyItem(at: received.file, to: copy)
      return Movie(file: copy)
    }
  }
}
