import DEIMv2Kit
import Photos
import SwiftUI
import UniformTypeIdentifiers

/// A video with its boxes, which stays as long as it can be shared.
struct SharedVideo: Transferable {
  let file: TemporaryFile

  static var transferRepresentation: some TransferRepresentation {
    FileRepresentation(exportedContentType: .mpeg4Movie) { (video: SharedVideo) in
      SentTransferredFile(video.file.url)
    }
  }

  /// Into the user's library, which this app may add to but not read. On no actor: Photos calls back on a
  /// queue of its own. Throws NotSaved or NotAllowed.
  nonisolated func keep() async throws {
    let permission = await PHPhotoLibrary.requestAuthorization(for: .addOnly)
    guard permission == .authorized else { throw NotAllowed() }
    let url = file.url
    do {
      try await PHPhotoLibrary.shared().performChanges {
        PHAssetChangeRequest.creationRequestForAssetFromVideo(atFileURL: url)
      }
    } catch {
      throw NotSaved(reason: error.localizedDescription)
    }
  }

  struct NotAllowed: LocalizedError {
    var errorDescription: String? {
      "This app may not add to your photos; allow it in Settings, or share the video instead."
    }
  }
}
