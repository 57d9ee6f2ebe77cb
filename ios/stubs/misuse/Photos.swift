// expect: cannot convert value of type 'String' to expected argument type 'URL'
import Photos

func keep(_ path: String) async throws {
  try await PHPhotoLibrary.shared().performChanges {
    PHAssetChangeRequest.creationRequestForAssetFromVideo(atFileURL: path)
  }
}
